// A KEK under a key that is on a PKCS#11 token, and every way in which a token does not play its part.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "secret_probe.h"
#include "tests/vault/soft_token.h"
#include "vault/kek_file.h"
#include "vault/protocol.h"
#include "vault/token_lock.h"

// After our headers: Catch's CHECK then replaces the one of base/result.h.
#include <catch2/catch.hpp>

namespace strongroom::vault {
namespace {

using NoKey = Cipher::Token::NoKey;

constexpr std::string_view kVault = "0123456789abcdef0123456789abcdef";
const Bytes kNonce(Cipher::kNonceBytes, 1), kAad{1, 2, 3};

base::Config Settings() {
  base::Config config;
  config.vault.pkcs11_module = SoftToken::Module();
  config.vault.pkcs11_uri = SoftToken::kUri;
  return config;
}

auto LogIn(NoKey no_key = NoKey::kRefuse, const base::Config& config = Settings(), std::string_view pin = SoftToken::kPin) {
  const SecretValue typed = SecretProbe::Of(pin);
  return OpenToken(config, &typed, {}, no_key);
}

Refusal Of(const auto& result) {
  REQUIRE_FALSE(result.has_value());
  return RefusalOf(result.error());
}

}  // namespace

TEST_CASE("token: a key is generated once, and only it opens what it sealed", "[token]") {
  const SoftToken soft;
  CHECK(Of(LogIn()) == Refusal::kTokenKeyMissing);
  REQUIRE(LogIn(NoKey::kGenerate).has_value());
  REQUIRE(LogIn(NoKey::kGenerate).has_value());  // the same one: two would be refused
  const SecretValue plaintext = SecretProbe::Of(Bytes(32, 7));
  Bytes sealed;
  {
    const auto token = LogIn();
    REQUIRE(token.has_value());
    sealed = (*token)->Seal(kNonce, kAad, plaintext.View()).value();
    REQUIRE(sealed.size() == 32 + Cipher::kTagBytes);
  }
  const auto token = LogIn();
  REQUIRE(token.has_value());
  const auto open = [&](ByteView nonce, ByteView aad, ByteView bytes) { return (*token)->OpenSealed(nonce, aad, bytes); };
  CHECK(SecretProbe::Copy(open(kNonce, kAad, sealed).value().View()) == Bytes(32, 7));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes flipped = sealed;
    flipped[i] ^= 1;
    CHECK(open(kNonce, kAad, flipped).error().code() == Code::kDecryptFailed);
  }
  const Bytes longer(sealed.size() + 1, 0);
  for (const ByteView other : {ByteView(longer), ByteView(sealed).first(47), ByteView(sealed).first(15), ByteView()}) {
    CHECK(open(kNonce, kAad, other).error().code() == Code::kDecryptFailed);
  }
  CHECK(open(Bytes(Cipher::kNonceBytes, 2), kAad, sealed).error().code() == Code::kDecryptFailed);
  CHECK(open(kNonce, Bytes{1, 2}, sealed).error().code() == Code::kDecryptFailed);
  CHECK(open(kNonce, kAad, sealed).has_value());  // a session that refused goes on
}

TEST_CASE("token: a KEK's file opens with the token, for its vault and version alone", "[token]") {
  const SoftToken soft;
  const Kek kek = SecretProbe::KekOf(Bytes(32, 7));
  const auto token = LogIn(NoKey::kGenerate);
  REQUIRE(token.has_value());
  const ProtectorFile file = LockByToken(kVault, 3, **token, kek).value();
  CHECK(file.kind() == ProtectorKind::kPkcs11);
  CHECK(file.IsGenuine(kek, kVault, 3));
  const ProtectorFile read = ProtectorFile::Decode(file.Encode()).value();
  CHECK(SecretProbe::Copy(UnlockByToken(read, kVault, 3, **token).value().View()) == Bytes(32, 7));
  CHECK(UnlockByToken(read, kVault, 4, **token).error().code() == Code::kCorrupt);
  CHECK(UnlockByToken(read, "another vault", 3, **token).error().code() == Code::kCorrupt);
  CHECK(Unlock(read, kVault, 3, SecretProbe::Of(Bytes(32, 9)).View()).error().code() == Code::kDecryptFailed);
  ProtectorFile moved = read, forged = read;
  moved.kek_version = 4;
  CHECK(UnlockByToken(moved, kVault, 4, **token).error().code() == Code::kDecryptFailed);
  forged.mac[0] ^= 1;
  CHECK(UnlockByToken(forged, kVault, 3, **token).error().code() == Code::kCorrupt);
}

TEST_CASE("token: what is wrong is said", "[token]") {
  const SoftToken soft;
  REQUIRE(LogIn(NoKey::kGenerate).has_value());
  base::Config config = Settings();
  config.vault.pkcs11_module = "";
  CHECK(Of(LogIn(NoKey::kRefuse, config)) == Refusal::kPkcs11Module);
  config.vault.pkcs11_module = soft.Path("no-such.so");
  CHECK(Of(LogIn(NoKey::kRefuse, config)) == Refusal::kPkcs11Module);
  config.vault.pkcs11_module = soft.Configuration();  // no library
  CHECK(Of(LogIn(NoKey::kRefuse, config)) == Refusal::kPkcs11Module);
  std::filesystem::copy_file(SoftToken::Module(), soft.Path("module.so"));
  config.vault.pkcs11_module = soft.Path("module.so");
  REQUIRE(chmod(config.vault.pkcs11_module.c_str(), 0666) == 0);  // others could have put anything there
  CHECK(Of(LogIn(NoKey::kRefuse, config)) == Refusal::kPkcs11Module);
  config = Settings();
  config.vault.pkcs11_uri = "pkcs11:token=strongroom;object=kek?pin-value=1";
  CHECK(Of(LogIn(NoKey::kRefuse, config)) == Refusal::kPkcs11Module);
  config.vault.pkcs11_uri = "pkcs11:token=another;object=kek";
  CHECK(Of(LogIn(NoKey::kRefuse, config)) == Refusal::kTokenMissing);
  config.vault.pkcs11_uri = "pkcs11:token=strongroom;serial=0;object=kek";
  CHECK(Of(LogIn(NoKey::kRefuse, config)) == Refusal::kTokenMissing);
  config.vault.pkcs11_uri = "pkcs11:token=strongroom;object=another";
  CHECK(Of(LogIn(NoKey::kRefuse, config)) == Refusal::kTokenKeyMissing);
  CHECK(Of(LogIn(NoKey::kRefuse, Settings(), "wrong")) == Refusal::kPinWrong);
  CHECK(Of(OpenToken(Settings(), nullptr)) == Refusal::kPassphraseWanted);
  soft.Unplug();
  CHECK(Of(LogIn()) == Refusal::kTokenMissing);
  soft.Plug();
  CHECK(LogIn().has_value());
  soft.MakeToken("strongroom");
  CHECK(Of(LogIn()) == Refusal::kTokenMissing);  // which one is meant?
}

TEST_CASE("token: a key that could leave its token, or is of another kind, is not used", "[token]") {
  const SoftToken soft;
  const auto refused = [&](const SoftToken::Kind& kind) {
    soft.MakeKey("kek", kind);
    const Refusal refusal = Of(LogIn(NoKey::kGenerate));
    REQUIRE(soft.DestroyKeys("kek") == 1);
    return refusal;
  };
  CHECK(refused({.extractable = true}) == Refusal::kTokenKeyExposed);
  CHECK(refused({.sensitive = false}) == Refusal::kTokenKeyExposed);
  CHECK(refused({.bytes = 16}) == Refusal::kTokenKeyMissing);
  soft.MakeKey("kek", {});
  CHECK(LogIn().has_value());
  soft.MakeKey("kek", {});
  CHECK(Of(LogIn(NoKey::kGenerate)) == Refusal::kTokenKeyMissing);  // which one?
}

TEST_CASE("token: one that fails at any step is refused, and what it spoiled does not count", "[token]") {
  const SoftToken soft;
  const Kek kek = SecretProbe::KekOf(Bytes(32, 7));
  base::Config config = Settings();
  config.vault.pkcs11_module = STRONGROOM_FAULTY_TOKEN;
  REQUIRE(LogIn(NoKey::kGenerate, config).has_value());
  // CKR_PIN_LOCKED, CKR_DEVICE_ERROR
  SoftToken::Fail("login:0xa4");
  CHECK(Of(LogIn(NoKey::kRefuse, config)) == Refusal::kPinWrong);
  SoftToken::Fail("login:0x30");
  CHECK(Of(LogIn(NoKey::kRefuse, config)) == Refusal::kTokenMissing);
  SoftToken::Fail("encrypt");
  const auto token = LogIn(NoKey::kRefuse, config);
  REQUIRE(token.has_value());
  CHECK(Of(LockByToken(kVault, 3, **token, kek)) == Refusal::kTokenMissing);
  SoftToken::Fail("");
  const ProtectorFile file = LockByToken(kVault, 3, **token, kek).value();
  // CKR_DEVICE_REMOVED, CKR_GENERAL_ERROR
  SoftToken::Fail("decrypt:0x32");
  CHECK(Of(UnlockByToken(file, kVault, 3, **token)) == Refusal::kTokenMissing);
  SoftToken::Fail("decrypt:0x5");
  CHECK(UnlockByToken(file, kVault, 3, **token).error().code() == Code::kDecryptFailed);
}

TEST_CASE("token: a kept PIN is not tried where another wrong one locks the token", "[token]") {
  const SoftToken soft;
  base::Config config = Settings();
  config.vault.pkcs11_module = STRONGROOM_FAULTY_TOKEN;
  config.vault.pkcs11_pin_path = soft.Path("pin");
  std::ofstream(config.vault.pkcs11_pin_path) << SoftToken::kPin;
  REQUIRE(chmod(config.vault.pkcs11_pin_path.c_str(), 0600) == 0);
  REQUIRE(OpenToken(config, nullptr, {}, NoKey::kGenerate).has_value());
  SoftToken::Fail("flags:0x20000");  // CKF_USER_PIN_FINAL_TRY
  CHECK(Of(OpenToken(config, nullptr)) == Refusal::kPinWrong);
  CHECK(LogIn(NoKey::kRefuse, config).has_value());  // a person may
  SoftToken::Fail("flags:0x40000");  // CKF_USER_PIN_LOCKED
  CHECK(Of(LogIn(NoKey::kRefuse, config)) == Refusal::kPinWrong);
}

TEST_CASE("token: a kept PIN is read from a file of the vault's alone", "[token]") {
  const SoftToken soft;
  REQUIRE(LogIn(NoKey::kGenerate).has_value());
  base::Config config = Settings();
  config.vault.pkcs11_pin_path = soft.Path("pin");
  CHECK_FALSE(PinIsKept(config));
  const auto keep = [&](const std::string& text, mode_t mode = 0600) {
    std::filesystem::remove(config.vault.pkcs11_pin_path);
    std::ofstream(config.vault.pkcs11_pin_path) << text;
    REQUIRE(chmod(config.vault.pkcs11_pin_path.c_str(), mode) == 0);
  };
  const std::string pin = SoftToken::kPin;
  for (const std::string& text : {pin, pin + "\n", pin + "\r\n"}) {
    keep(text);
    CHECK(PinIsKept(config));
    CHECK(OpenToken(config, nullptr).has_value());
  }
  for (const std::string& text : {std::string(""), std::string("\n"), std::string(256, '1'), std::string(300, '1')}) {
    keep(text);
    CHECK(Of(OpenToken(config, nullptr)) == Refusal::kPassphraseWanted);
  }
  keep(pin, 0644);
  CHECK(Of(OpenToken(config, nullptr)) == Refusal::kPassphraseWanted);
  keep(pin + " ");
  CHECK(Of(OpenToken(config, nullptr)) == Refusal::kPinWrong);
}

}  // namespace strongroom::vault
