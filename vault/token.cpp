#include "vault/token.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/log.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

// Failed is for what the module answered (a CKR_ number), or a count; Wrong for what needs none.
std::unexpected<Error> Failed(base::Literal what, CK_RV answer, Refusal refusal) {
  base::LogError("token_failed", Error(Code::kUnavailable, what, static_cast<std::int64_t>(answer)));
  return Refuse(refusal);
}

std::unexpected<Error> Wrong(base::Literal what, Refusal refusal) {
  base::LogError("token_failed", Error(Code::kUnavailable, what));
  return Refuse(refusal);
}

// PKCS#11 takes pointers that are not const for what it only reads.
CK_BYTE* Lent(ByteView bytes) { return const_cast<CK_BYTE*>(bytes.data()); }

// Whoever can write that file runs in vaultd. A link is followed: distributions make them.
bool IsTrusted(const std::string& module) {
  struct stat facts{};
  return module.starts_with('/') && stat(module.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) &&
         (facts.st_uid == 0 || facts.st_uid == geteuid()) && (facts.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// In CK_TOKEN_INFO text is padded with blanks and has no end.
template <std::size_t N>
bool Says(const CK_UTF8CHAR (&field)[N], std::string_view wanted) {
  std::string_view text = base::AsText(ByteView(field, N));
  while (text.ends_with(' ')) text.remove_suffix(1);
  return wanted.empty() || text == wanted;
}

bool IsMeant(const CK_TOKEN_INFO& info, const TokenUri& uri) {
  return (info.flags & CKF_TOKEN_INITIALIZED) != 0 && Says(info.label, uri.token) && Says(info.serialNumber, uri.serial) &&
         Says(info.manufacturerID, uri.manufacturer) && Says(info.model, uri.model);
}

bool IsPinRefused(CK_RV answer) {
  return answer == CKR_PIN_INCORRECT || answer == CKR_PIN_INVALID || answer == CKR_PIN_LEN_RANGE || answer == CKR_PIN_EXPIRED ||
         answer == CKR_PIN_LOCKED;
}

// What C_Decrypt answers where it is not the ciphertext's fault. Modules differ in what they answer to a wrong tag.
bool IsAway(CK_RV answer) {
  constexpr std::array kAway{CKR_DEVICE_ERROR,         CKR_DEVICE_REMOVED,     CKR_DEVICE_MEMORY,         CKR_HOST_MEMORY,
                             CKR_TOKEN_NOT_PRESENT,    CKR_SESSION_CLOSED,     CKR_SESSION_HANDLE_INVALID, CKR_USER_NOT_LOGGED_IN,
                             CKR_FUNCTION_NOT_SUPPORTED, CKR_FUNCTION_CANCELED, CKR_KEY_HANDLE_INVALID};
  return std::ranges::find(kAway, answer) != kAway.end();
}

// Template is a list of attributes, and what they point at.
class Template {
 public:
  Template& Add(CK_ATTRIBUTE_TYPE type, ByteView bytes) {
    if (!bytes.empty()) list_.push_back({type, Lent(bytes), bytes.size()});
    return *this;
  }
  template <typename T>
  Template& Number(CK_ATTRIBUTE_TYPE type, const T& number) {
    list_.push_back({type, const_cast<T*>(&number), sizeof(T)});
    return *this;
  }
  // Which key is meant: of a type of key, and by its names.
  Template& Key(const TokenUri& uri) {
    static constexpr CK_OBJECT_CLASS kClass = CKO_SECRET_KEY;
    static constexpr CK_KEY_TYPE kType = CKK_AES;
    Number(CKA_CLASS, kClass).Number(CKA_KEY_TYPE, kType);
    return Add(CKA_LABEL, base::AsBytes(uri.object)).Add(CKA_ID, uri.id);
  }
  CK_ATTRIBUTE* data() { return list_.data(); }
  CK_ULONG size() const { return list_.size(); }

 private:
  std::vector<CK_ATTRIBUTE> list_;
};

constexpr CK_BBOOL kYes = CK_TRUE, kNo = CK_FALSE;
constexpr CK_ULONG kKeyBytes = Kek::kBytes;

}  // namespace

// Session is the module between C_Initialize and C_Finalize, one session of it, and the key that was found. Of secrets it
// sees the PIN.
class Cipher::Token::Session {
 public:
  ~Session();
  Result<void> Begin(const std::string& module);
  Result<void> Enter(const TokenUri& uri, const Login& login, NoKey no_key);
  Result<void> FindKey(const TokenUri& uri, NoKey no_key);

  // With is the mechanism with its parameters, which it must not outlive.
  static CK_GCM_PARAMS With(ByteView nonce, ByteView aad) {
    return {Lent(nonce), nonce.size(), nonce.size() * 8, Lent(aad), aad.size(), kTagBytes * 8};
  }
  CK_FUNCTION_LIST* api = nullptr;
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;

 private:
  Result<CK_SLOT_ID> FindSlot(const TokenUri& uri, CK_FLAGS& flags) const;
  Result<void> LogIn(const Login& login, CK_FLAGS flags);
  Result<void> CheckKey() const;
  Result<void> Generate(const TokenUri& uri);
  template <typename T>
  bool Has(CK_ATTRIBUTE_TYPE type, T wanted) const;

  bool initialized_ = false, logged_in_ = false;
};

Cipher::Token::Session::~Session() {
  if (logged_in_) api->C_Logout(session);
  if (session != CK_INVALID_HANDLE) api->C_CloseSession(session);
  if (initialized_) api->C_Finalize(nullptr);
  ClearRegisters();
}

Result<void> Cipher::Token::Session::Begin(const std::string& module) {
  if (module.empty()) return Wrong("strongroom.toml has no pkcs11_module under [vault]", Refusal::kPkcs11Module);
  if (!IsTrusted(module)) {
    base::Log(base::Level::kError, "token_failed", {{"module", module}});
    return Wrong("the PKCS#11 module is not there, or others than root and vaultd's user can write it", Refusal::kPkcs11Module);
  }
  // Never unloaded: a module may have left pointers to itself in libraries that stay.
  void* const library = dlopen(module.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    const char* const why = dlerror();
    base::Log(base::Level::kError, "token_failed", {{"module", module}, {"why", why == nullptr ? "" : why}});
    return Refuse(Refusal::kPkcs11Module);
  }
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  const CK_RV got = get == nullptr ? CKR_FUNCTION_NOT_SUPPORTED : get(&api);
  if (got != CKR_OK || api == nullptr) return Failed("C_GetFunctionList fails", got, Refusal::kPkcs11Module);
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  const CK_RV begun = api->C_Initialize(&arguments);
  initialized_ = begun == CKR_OK;
  if (!initialized_) return Failed("C_Initialize fails", begun, Refusal::kTokenMissing);
  return {};
}

Result<CK_SLOT_ID> Cipher::Token::Session::FindSlot(const TokenUri& uri, CK_FLAGS& flags) const {
  CK_ULONG count = 0;
  CK_RV answer = api->C_GetSlotList(CK_TRUE, nullptr, &count);
  std::vector<CK_SLOT_ID> slots(count), meant;
  if (answer == CKR_OK && count > 0) answer = api->C_GetSlotList(CK_TRUE, slots.data(), &count);
  if (answer != CKR_OK) return Failed("C_GetSlotList fails", answer, Refusal::kTokenMissing);
  slots.resize(std::min<std::size_t>(count, slots.size()));
  for (const CK_SLOT_ID slot : slots) {
    CK_TOKEN_INFO info{};
    if (api->C_GetTokenInfo(slot, &info) != CKR_OK || !IsMeant(info, uri)) continue;
    meant.push_back(slot);
    flags = info.flags;
  }
  if (meant.size() == 1) return meant.front();
  return Failed("pkcs11_uri must name one token; the module has of that name", meant.size(), Refusal::kTokenMissing);
}

Result<void> Cipher::Token::Session::Enter(const TokenUri& uri, const Login& login, NoKey no_key) {
  CK_FLAGS flags = 0;
  TRY_ASSIGN(const CK_SLOT_ID slot, FindSlot(uri, flags));
  const CK_FLAGS wanted = CKF_SERIAL_SESSION | (no_key == NoKey::kGenerate ? CKF_RW_SESSION : 0);
  const CK_RV opened = api->C_OpenSession(slot, wanted, nullptr, nullptr, &session);
  if (opened != CKR_OK) return Failed("C_OpenSession fails", opened, Refusal::kTokenMissing);
  return LogIn(login, flags);
}

Result<void> Cipher::Token::Session::LogIn(const Login& login, CK_FLAGS flags) {
  if ((flags & CKF_USER_PIN_LOCKED) != 0) return Wrong("the token has locked its PIN", Refusal::kPinWrong);
  if ((flags & CKF_USER_PIN_FINAL_TRY) != 0 && login.pin_is_kept) {
    return Wrong("one more wrong PIN locks the token: the one that is kept was not tried", Refusal::kPinWrong);
  }
  const auto pin = login.pin.Bytes(SecretAccess());
  const CK_RV answer = api->C_Login(session, CKU_USER, Lent(pin), pin.size());
  ClearRegisters();
  logged_in_ = answer == CKR_OK;
  if (logged_in_) return {};
  return Failed("C_Login fails", answer, IsPinRefused(answer) ? Refusal::kPinWrong : Refusal::kTokenMissing);
}

Result<void> Cipher::Token::Session::FindKey(const TokenUri& uri, NoKey no_key) {
  Template wanted;
  wanted.Key(uri).Number(CKA_TOKEN, kYes);
  CK_OBJECT_HANDLE found[2] = {};
  CK_ULONG count = 0;
  CK_RV answer = api->C_FindObjectsInit(session, wanted.data(), wanted.size());
  if (answer == CKR_OK) {
    answer = api->C_FindObjects(session, found, 2, &count);
    api->C_FindObjectsFinal(session);
  }
  if (answer != CKR_OK) return Failed("C_FindObjects fails", answer, Refusal::kTokenMissing);
  if (count == 0 && no_key == NoKey::kGenerate) return Generate(uri);
  if (count != 1) return Failed("pkcs11_uri must name one key; the token has of that name, 2 for more,", count, Refusal::kTokenKeyMissing);
  key = found[0];
  return CheckKey();
}

template <typename T>
bool Cipher::Token::Session::Has(CK_ATTRIBUTE_TYPE type, T wanted) const {
  T value{};
  CK_ATTRIBUTE attribute{type, &value, sizeof(value)};
  const CK_RV answer = api->C_GetAttributeValue(session, key, &attribute, 1);
  return answer == CKR_OK && attribute.ulValueLen == sizeof(value) && value == wanted;
}

Result<void> Cipher::Token::Session::CheckKey() const {
  if (!Has(CKA_SENSITIVE, kYes) || !Has(CKA_EXTRACTABLE, kNo)) {
    return Wrong("the key is not CKA_SENSITIVE, or it is CKA_EXTRACTABLE", Refusal::kTokenKeyExposed);
  }
  if (!Has(CKA_VALUE_LEN, kKeyBytes) || !Has(CKA_ENCRYPT, kYes) || !Has(CKA_DECRYPT, kYes)) {
    return Wrong("the key is not of 32 bytes, or lacks CKA_ENCRYPT or CKA_DECRYPT", Refusal::kTokenKeyMissing);
  }
  return {};
}

Result<void> Cipher::Token::Session::Generate(const TokenUri& uri) {
  Template made;
  made.Key(uri).Number(CKA_VALUE_LEN, kKeyBytes).Number(CKA_TOKEN, kYes).Number(CKA_PRIVATE, kYes);
  made.Number(CKA_SENSITIVE, kYes).Number(CKA_EXTRACTABLE, kNo);
  made.Number(CKA_ENCRYPT, kYes).Number(CKA_DECRYPT, kYes).Number(CKA_WRAP, kNo).Number(CKA_UNWRAP, kNo);
  CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
  const CK_RV answer = api->C_GenerateKey(session, &mechanism, made.data(), made.size(), &key);
  if (answer != CKR_OK) return Failed("C_GenerateKey fails", answer, Refusal::kTokenKeyMissing);
  base::Log(base::Level::kInfo, "token_key_generated", {{"uri", uri.Print()}});
  return CheckKey();
}

Cipher::Token::Token(std::unique_ptr<Session> session) : session_(std::move(session)) {}
Cipher::Token::~Token() = default;

Result<std::unique_ptr<Cipher::Token>> Cipher::Token::Open(const std::string& module, const TokenUri& key, const Login& login,
                                                           NoKey no_key) {
  auto session = std::make_unique<Session>();
  TRY(session->Begin(module));
  TRY(session->Enter(key, login, no_key));
  TRY(session->FindKey(key, no_key));
  return std::unique_ptr<Token>(new Token(std::move(session)));
}

Result<Bytes> Cipher::Token::Seal(ByteView nonce, ByteView aad, SecretView plaintext) {
  CK_GCM_PARAMS with = Session::With(nonce, aad);
  CK_MECHANISM mechanism{CKM_AES_GCM, &with, sizeof(with)};
  CK_RV answer = session_->api->C_EncryptInit(session_->session, &mechanism, session_->key);
  if (answer != CKR_OK) return Failed("C_EncryptInit with CKM_AES_GCM fails", answer, Refusal::kTokenMissing);
  const auto bytes = plaintext.Bytes(SecretAccess());
  Bytes sealed(bytes.size() + kTagBytes);
  CK_ULONG size = sealed.size();
  answer = session_->api->C_Encrypt(session_->session, Lent(bytes), bytes.size(), sealed.data(), &size);
  ClearRegisters();
  if (answer != CKR_OK || size != sealed.size()) return Failed("C_Encrypt fails", answer, Refusal::kTokenMissing);
  return sealed;
}

Result<SecretValue> Cipher::Token::OpenSealed(ByteView nonce, ByteView aad, ByteView ciphertext) {
  if (ciphertext.size() < kTagBytes) return Fail(Code::kDecryptFailed, "does not open");
  // As long as the ciphertext: some modules want so much room. The module writes into the locked slot itself.
  TRY_ASSIGN(SecretValue opened, SecretValue::Allocate(ciphertext.size()));
  CK_GCM_PARAMS with = Session::With(nonce, aad);
  CK_MECHANISM mechanism{CKM_AES_GCM, &with, sizeof(with)};
  CK_RV answer = session_->api->C_DecryptInit(session_->session, &mechanism, session_->key);
  if (answer != CKR_OK) return Failed("C_DecryptInit with CKM_AES_GCM fails", answer, Refusal::kTokenMissing);
  const auto slot = opened.Bytes(SecretAccess());
  CK_ULONG size = slot.size();
  answer = session_->api->C_Decrypt(session_->session, Lent(ciphertext), ciphertext.size(), slot.data(), &size);
  ClearRegisters();
  if (IsAway(answer)) return Failed("C_Decrypt fails", answer, Refusal::kTokenMissing);
  if (answer != CKR_OK || size != ciphertext.size() - kTagBytes) return Fail(Code::kDecryptFailed, "does not open");
  opened.Shrink(SecretAccess(), size);
  return opened;
}

}  // namespace strongroom::vault
