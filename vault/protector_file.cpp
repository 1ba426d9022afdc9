#include "vault/protector_file.h"

#include <charconv>
#include <utility>

#include "vault/sealed_box.h"

namespace strongroom::vault {
namespace {

using base::ByteReader;
using base::ByteWriter;

constexpr std::string_view kMagic = "strongroom-protector";
constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kMostVaultId = 64;
constexpr std::size_t kMostVersionDigits = 9;
constexpr std::string_view kLockDomain = "strongroom/protector/passphrase/v1";
constexpr std::string_view kWrapDomain = "strongroom/protector/wrap/v1";
constexpr std::string_view kMacInfo = "strongroom/protector/mac/v1";
constexpr std::string_view kCredentialInfo = "strongroom/protector/credential/v1";

std::string_view Suffix(ProtectorKind kind) { return kind == ProtectorKind::kFile ? "key" : ProtectorName(kind); }

void Write(ByteWriter& writer, const PassphraseLock& lock) {
  writer.U64(lock.cost.passes).U64(lock.cost.memory);
  writer.Field(lock.salt).Field(lock.public_key).Field(lock.nonce).Field(lock.sealed_private);
}
// A credential's lock, and a token's.
void Write(ByteWriter& writer, const auto& lock) { writer.Field(lock.nonce); }

Bytes ReadBytes(ByteReader& reader) {
  const ByteView field = reader.Field();
  return Bytes(field.begin(), field.end());
}

void Read(ByteReader& reader, PassphraseLock& lock) {
  lock.cost.passes = reader.U64();
  lock.cost.memory = reader.U64();
  lock.salt = ReadBytes(reader);
  lock.public_key = ReadBytes(reader);
  lock.nonce = ReadBytes(reader);
  lock.sealed_private = ReadBytes(reader);
}
void Read(ByteReader& reader, auto& lock) { lock.nonce = ReadBytes(reader); }

bool InBounds(const PassphraseLock& lock) {
  return lock.cost.passes <= ProtectorFile::kMostCost.passes && lock.cost.memory <= ProtectorFile::kMostCost.memory &&
         lock.salt.size() == Cipher::kSaltBytes && lock.public_key.size() == SealedBox::kKeyBytes &&
         lock.nonce.size() == Cipher::kNonceBytes && lock.sealed_private.size() == SealedBox::kKeyBytes + Cipher::kTagBytes;
}
bool InBounds(const auto& lock) { return lock.nonce.size() == Cipher::kNonceBytes; }

std::size_t WrappedBytes(const ProtectorFile& file) {
  const bool box = std::holds_alternative<PassphraseLock>(file.lock);
  return Kek::kBytes + (box ? SealedBox::kOverhead : Cipher::kTagBytes);
}

// What MAC covers: all but MAC itself.
Bytes Covered(const ProtectorFile& file) {
  ByteWriter writer;
  writer.Raw(base::AsBytes(kMagic)).U8(kFormat).U8(static_cast<std::uint8_t>(file.kind()));
  writer.Field(file.vault_id).I64(file.kek_version);
  std::visit([&writer](const auto& lock) { Write(writer, lock); }, file.lock);
  return writer.Field(file.wrapped).Take();
}

// A passphrase's cost and salt are bound by its key; its public half by this.
Bytes LockAad(std::string_view vault_id, const PassphraseLock& lock) {
  ByteWriter writer;
  writer.Field(kLockDomain).Field(vault_id).U64(lock.cost.passes).U64(lock.cost.memory);
  return writer.Field(lock.salt).Field(lock.public_key).Take();
}

Result<Bytes> MacOf(const Kek& kek, const ProtectorFile& file) {
  TRY_ASSIGN(const SecretValue key, Cipher::Derive(kek.View(), kMacInfo, Cipher::kMacBytes));
  return Cipher::Mac(key.View(), Covered(file));
}

Result<SecretValue> OpenWrapped(const ProtectorFile& file, SecretView opener) {
  if (const auto* lock = std::get_if<PassphraseLock>(&file.lock)) {
    return SealedBox::OpenSealed(opener, lock->public_key, file.wrapped);
  }
  const auto* lock = std::get_if<CredentialLock>(&file.lock);
  if (lock == nullptr) return Fail(Code::kDecryptFailed, "does not open");
  TRY_ASSIGN(const SecretValue key, Cipher::Derive(opener, kCredentialInfo, Kek::kBytes));
  return Cipher::OpenWith(key.View(), lock->nonce, file.WrapAad(), file.wrapped);
}

}  // namespace

std::string_view ProtectorName(ProtectorKind kind) {
  switch (kind) {
    case ProtectorKind::kFile:
      return "file";
    case ProtectorKind::kPassphrase:
      return "passphrase";
    case ProtectorKind::kCredential:
      return "credential";
    case ProtectorKind::kPkcs11:
      return "pkcs11";
  }
  CHECK(false && "a protector without a name");
  return {};
}

std::optional<ProtectorKind> ProtectorNamed(std::string_view name) {
  for (const ProtectorKind kind : kProtectorKinds) {
    if (ProtectorName(kind) == name) return kind;
  }
  return std::nullopt;
}

std::string ProtectorFileName(std::int64_t version, ProtectorKind kind) {
  return std::to_string(version) + "." + std::string(Suffix(kind));
}

std::int64_t VersionOfFileName(std::string_view name) {
  const std::size_t dot = name.find('.');
  const std::string_view digits = name.substr(0, dot);
  if (dot == std::string_view::npos || digits.empty() || digits.size() > kMostVersionDigits || digits.front() == '0') return 0;
  bool known = false;
  for (const ProtectorKind kind : kProtectorKinds) known = known || name.substr(dot + 1) == Suffix(kind);
  std::int64_t version = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), version);
  return known && error == std::errc() && end == digits.data() + digits.size() && version > 0 ? version : 0;
}

ProtectorKind ProtectorFile::kind() const {
  // In the order of the variant.
  constexpr std::array kKinds{ProtectorKind::kPassphrase, ProtectorKind::kCredential, ProtectorKind::kPkcs11};
  return kKinds[lock.index()];
}

Bytes ProtectorFile::Encode() const {
  Bytes bytes = Covered(*this);
  bytes.insert(bytes.end(), mac.begin(), mac.end());
  return bytes;
}

Result<ProtectorFile> ProtectorFile::Decode(ByteView bytes) {
  constexpr base::Literal kNotOne = "is no protector file of this version, or was cut short";
  constexpr std::size_t kFixed = kMagic.size() + Cipher::kMacBytes;
  if (bytes.size() < kFixed || bytes.size() > kMostBytes || base::AsText(bytes.first(kMagic.size())) != kMagic) {
    return Fail(Code::kCorrupt, kNotOne);
  }
  ProtectorFile file;
  ByteReader reader(bytes.subspan(kMagic.size(), bytes.size() - kFixed));
  const std::uint8_t format = reader.U8(), kind = reader.U8();
  file.vault_id = reader.Text();
  file.kek_version = reader.I64();
  if (kind == static_cast<std::uint8_t>(ProtectorKind::kCredential)) file.lock = CredentialLock();
  if (kind == static_cast<std::uint8_t>(ProtectorKind::kPkcs11)) file.lock = TokenLock();
  std::visit([&reader](auto& lock) { Read(reader, lock); }, file.lock);
  file.wrapped = ReadBytes(reader);
  file.mac.assign(bytes.end() - Cipher::kMacBytes, bytes.end());
  if (!reader.Finish() || format != kFormat || kind != static_cast<std::uint8_t>(file.kind()) || file.vault_id.empty() ||
      file.vault_id.size() > kMostVaultId || file.kek_version < 1 || file.wrapped.size() != WrappedBytes(file) ||
      !std::visit([](const auto& lock) { return InBounds(lock); }, file.lock)) {
    return Fail(Code::kCorrupt, kNotOne);
  }
  return file;
}

Result<void> ProtectorFile::Authenticate(const Kek& kek) {
  TRY_ASSIGN(mac, MacOf(kek, *this));
  return {};
}

bool ProtectorFile::IsGenuine(const Kek& kek, std::string_view its_vault, std::int64_t its_version) const {
  const auto right = MacOf(kek, *this);
  return vault_id == its_vault && kek_version == its_version && right && Cipher::Equal(*right, mac);
}

Result<void> ProtectorFile::CheckGenuine(const Kek& kek, std::string_view its_vault, std::int64_t its_version) const {
  if (IsGenuine(kek, its_vault, its_version)) return {};
  return Fail(Code::kCorrupt, "was changed outside vaultd, or is another vault's or version's");
}

Bytes ProtectorFile::WrapAad() const {
  ByteWriter writer;
  return writer.Field(kWrapDomain).Field(vault_id).I64(kek_version).U8(static_cast<std::uint8_t>(kind())).Take();
}

Result<PassphraseLock> MakePassphraseLock(std::string_view vault_id, SecretView passphrase, const Cipher::Argon2& cost) {
  TRY_ASSIGN(const SealedBox::KeyPair pair, SealedBox::Generate());
  PassphraseLock lock{cost, Cipher::RandomSalt(), pair.public_key, Cipher::RandomNonce(), {}};
  TRY_ASSIGN(const SecretValue key, Cipher::Stretch(passphrase, lock.salt, cost));
  TRY_ASSIGN(lock.sealed_private,
             Cipher::SealWith(key.View(), lock.nonce, LockAad(vault_id, lock), pair.private_key.View()));
  return lock;
}

Result<SecretValue> OpenPassphraseLock(std::string_view vault_id, const PassphraseLock& lock, SecretView passphrase) {
  TRY_ASSIGN(const SecretValue key, Cipher::Stretch(passphrase, lock.salt, lock.cost));
  return Cipher::OpenWith(key.View(), lock.nonce, LockAad(vault_id, lock), lock.sealed_private);
}

Result<ProtectorFile> LockByPassphrase(std::string_view vault_id, std::int64_t version, const PassphraseLock& lock,
                                       const Kek& kek) {
  ProtectorFile file{std::string(vault_id), version, lock, {}, {}};
  TRY_ASSIGN(file.wrapped, SealedBox::SealTo(lock.public_key, kek.View()));
  TRY(file.Authenticate(kek));
  return file;
}

Result<ProtectorFile> LockByCredential(std::string_view vault_id, std::int64_t version, SecretView credential,
                                       const Kek& kek) {
  const CredentialLock lock{Cipher::RandomNonce()};
  ProtectorFile file{std::string(vault_id), version, lock, {}, {}};
  TRY_ASSIGN(const SecretValue key, Cipher::Derive(credential, kCredentialInfo, Kek::kBytes));
  TRY_ASSIGN(file.wrapped, Cipher::SealWith(key.View(), lock.nonce, file.WrapAad(), kek.View()));
  TRY(file.Authenticate(kek));
  return file;
}

Result<Kek> Unlock(const ProtectorFile& file, std::string_view vault_id, std::int64_t version, SecretView opener) {
  TRY_ASSIGN(SecretValue value, OpenWrapped(file, opener));
  if (value.size() != Kek::kBytes) return Fail(Code::kDecryptFailed, "does not open");
  TRY_ASSIGN(Kek kek, Kek::FromSecret(std::move(value)));
  // A box says nothing of who sealed it: that whoever did had the KEK, vault and version in mind, the MAC says.
  TRY(file.CheckGenuine(kek, vault_id, version));
  return kek;
}

}  // namespace strongroom::vault
