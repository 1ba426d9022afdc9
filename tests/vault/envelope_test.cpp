#include "vault/envelope.h"

#include <catch2/catch.hpp>
#include <functional>
#include <utility>
#include <vector>

#include "secret_probe.h"
#include "vault/cipher.h"

namespace strongroom::vault {
namespace {

KeyRef Ref(const char* text = "ACME/anthropic/default/1") {
  return KeyRef::Parse(text).value();
}
Origin At(const char* text = "https://api.anthropic.com:443") {
  return Origin::Parse(text).value();
}
WrapContext Context() {
  WrapContext context(KeyContext("vault-1", Ref()), At(), false);
  context.state = KeyState::kRotated;
  context.grace_until = 1'800'000'000'000'000;
  return context;
}
Kek KekOf(std::uint8_t byte) {
  return SecretProbe::KekOf(Bytes(32, byte));
}
Bytes KeyOf(std::size_t size) {
  Bytes key(size);
  for (std::size_t i = 0; i < size; ++i) key[i] = static_cast<std::uint8_t>('!' + i % 94);
  return key;
}
bool DoesNotOpen(const Kek& kek, const WrapContext& context, const Sealed& sealed) {
  const auto opened = Open(kek, context, sealed);
  return !opened && opened.error().code() == Code::kDecryptFailed &&
         opened.error().text() == "does not open" && !opened.error().has_number();
}
bool NeitherOpensNorVerifies(const Kek& kek, const WrapContext& context, const Sealed& sealed) {
  const auto verified = Verify(kek, context, sealed);
  return DoesNotOpen(kek, context, sealed) && !verified && verified.error().code() == Code::kDecryptFailed;
}

TEST_CASE("a sealed key opens as it was, at every length", "[envelope]") {
  const Kek kek = KekOf(1);
  for (const std::size_t size : {20UL, 256UL, 257UL, 2000UL}) {
    const SecretValue key = SecretProbe::Of(KeyOf(size));
    const auto sealed = Seal(kek, Context(), key.View());
    REQUIRE(sealed);
    CHECK(sealed->key.ciphertext.size() == 1 + 32 + size + 16);
    CHECK(sealed->key.ciphertext[0] == 1);
    CHECK(sealed->dek.ciphertext.size() == 48);
    CHECK(Verify(kek, Context(), *sealed).has_value());
    const auto opened = Open(kek, Context(), *sealed);
    REQUIRE(opened);
    CHECK(SecretProbe::Copy(opened->View()) == KeyOf(size));
  }
}

TEST_CASE("the same key sealed twice shares nothing", "[envelope]") {
  const Kek kek = KekOf(1);
  const SecretValue key = SecretProbe::Of(KeyOf(40));
  const auto a = Seal(kek, Context(), key.View()), b = Seal(kek, Context(), key.View());
  CHECK(a->key.nonce != b->key.nonce);
  CHECK(a->key.ciphertext != b->key.ciphertext);
  CHECK(a->dek.ciphertext != b->dek.ciphertext);
  CHECK(NeitherOpensNorVerifies(kek, Context(), Sealed{a->key, b->dek}));
  CHECK(NeitherOpensNorVerifies(KekOf(2), Context(), *a));
}

TEST_CASE("a key opens in no other context: each field changed alone", "[envelope]") {
  const Kek kek = KekOf(1);
  const auto sealed = Seal(kek, Context(), SecretProbe::Of(KeyOf(40)).View());
  REQUIRE(sealed);
  const std::vector<std::pair<const char*, std::function<void(WrapContext&)>>> changes{
      {"vault id", [](WrapContext& c) { c.key.vault_id = "vault-2"; }},
      {"no vault id", [](WrapContext& c) { c.key.vault_id.clear(); }},
      {"customer", [](WrapContext& c) { c.key.key_ref = Ref("EVIL/anthropic/default/1"); }},
      {"provider", [](WrapContext& c) { c.key.key_ref = Ref("ACME/openai/default/1"); }},
      {"label", [](WrapContext& c) { c.key.key_ref = Ref("ACME/anthropic/other/1"); }},
      {"version", [](WrapContext& c) { c.key.key_ref = Ref("ACME/anthropic/default/2"); }},
      {"status", [](WrapContext& c) { c.state = KeyState::kActive; }},
      {"grace", [](WrapContext& c) { ++*c.grace_until; }},
      {"no grace", [](WrapContext& c) { c.grace_until.reset(); }},
      {"zero grace", [](WrapContext& c) { c.grace_until = 0; }},
      {"origin host", [](WrapContext& c) { c.origin = At("https://api.anthropic.co:443"); }},
      {"origin port", [](WrapContext& c) { c.origin = At("https://api.anthropic.com:444"); }},
      {"origin scheme", [](WrapContext& c) { c.origin = At("http://api.anthropic.com:443"); }},
      {"hosted", [](WrapContext& c) { c.hosted = true; }},
      {"RPM limit", [](WrapContext& c) { c.limit.rpm = 1; }},
      {"TPM limit", [](WrapContext& c) { c.limit.tpm = 1; }},
      {"row version", [](WrapContext& c) { c.row_version = 2; }},
      {"KEK version", [](WrapContext& c) { c.kek_version = 2; }}};
  for (const auto& [name, change] : changes) {
    INFO(name);
    WrapContext other = Context();
    change(other);
    CHECK(WrapAad(other) != WrapAad(Context()));
    CHECK(NeitherOpensNorVerifies(kek, other, *sealed));
  }
  CHECK(Open(kek, Context(), *sealed).has_value());
}

TEST_CASE("the payload alone is bound to what the key is", "[envelope]") {
  // Somebody with the KEK wraps a DEK for another identity: the payload does not follow.
  const Kek kek = KekOf(1);
  const auto sealed = Seal(kek, Context(), SecretProbe::Of(KeyOf(40)).View());
  REQUIRE(sealed);
  auto dek = Cipher::OpenWith(kek.View(), sealed->dek.nonce, WrapAad(Context()), sealed->dek.ciphertext);
  REQUIRE(dek);
  for (const auto& [vault, ref] :
       {std::pair("vault-2", "ACME/anthropic/default/1"), std::pair("vault-1", "EVIL/anthropic/default/1"),
        std::pair("vault-1", "ACME/openai/default/1"), std::pair("vault-1", "ACME/anthropic/other/1"),
        std::pair("vault-1", "ACME/anthropic/default/2")}) {
    WrapContext other = Context();
    other.key = KeyContext(vault, Ref(ref));
    CHECK(PayloadAad(other.key) != PayloadAad(Context().key));
    Sealed moved = *sealed;
    moved.dek.ciphertext = Cipher::SealWith(kek.View(), moved.dek.nonce, WrapAad(other), dek->View()).value();
    CHECK(DoesNotOpen(kek, other, moved));
  }
}

TEST_CASE("every bit of a stored key counts", "[envelope]") {
  const Kek kek = KekOf(1);
  const auto sealed = Seal(kek, Context(), SecretProbe::Of(KeyOf(20)).View());
  REQUIRE(sealed);
  const std::vector<std::function<Bytes&(Sealed&)>> parts{
      [](Sealed& s) -> Bytes& { return s.key.nonce; }, [](Sealed& s) -> Bytes& { return s.key.ciphertext; },
      [](Sealed& s) -> Bytes& { return s.dek.nonce; }, [](Sealed& s) -> Bytes& { return s.dek.ciphertext; }};
  for (const auto& pick : parts) {
    Sealed copy = *sealed;
    bool all = true;
    for (std::size_t bit = 0; bit < pick(copy).size() * 8; ++bit) {
      pick(copy)[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      all = all && DoesNotOpen(kek, Context(), copy);
      pick(copy)[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    }
    CHECK(all);
    const Bytes whole = pick(copy);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      pick(copy).resize(size);
      CHECK(DoesNotOpen(kek, Context(), copy));
      pick(copy) = whole;
    }
    pick(copy).push_back(0);
    CHECK(DoesNotOpen(kek, Context(), copy));
  }
}

TEST_CASE("Verify tells a payload under another DEK without opening it", "[envelope]") {
  const Kek kek = KekOf(1);
  auto a = Seal(kek, Context(), SecretProbe::Of(KeyOf(20)).View());
  const auto b = Seal(kek, Context(), SecretProbe::Of(KeyOf(20)).View());
  std::copy_n(b->key.ciphertext.begin() + 1, 32, a->key.ciphertext.begin() + 1);
  CHECK(NeitherOpensNorVerifies(kek, Context(), *a));
}

TEST_CASE("a rewrap moves the wrap and leaves the payload", "[envelope]") {
  const Kek old_kek = KekOf(1), new_kek = KekOf(2);
  const auto sealed = Seal(old_kek, Context(), SecretProbe::Of(KeyOf(300)).View());
  REQUIRE(sealed);
  WrapContext next = Context();
  next.state = KeyState::kRevoked;
  next.grace_until.reset();
  next.row_version = 2;
  next.kek_version = 2;
  const auto wrapped = Rewrap(old_kek, Context(), sealed->dek, new_kek, next);
  REQUIRE(wrapped);
  const Sealed moved{sealed->key, *wrapped};
  CHECK(SecretProbe::Copy(Open(new_kek, next, moved)->View()) == KeyOf(300));
  CHECK(NeitherOpensNorVerifies(old_kek, next, *sealed));
  CHECK(NeitherOpensNorVerifies(new_kek, next, *sealed));
  CHECK(NeitherOpensNorVerifies(new_kek, Context(), moved));
  CHECK(NeitherOpensNorVerifies(old_kek, Context(), moved));
  CHECK(Open(old_kek, Context(), *sealed).has_value());
}

TEST_CASE("a rewrap needs the old context, and keeps the identity", "[envelope]") {
  const Kek kek = KekOf(1);
  const auto sealed = Seal(kek, Context(), SecretProbe::Of(KeyOf(30)).View());
  WrapContext wrong = Context();
  wrong.row_version = 9;
  CHECK(Rewrap(kek, wrong, sealed->dek, kek, Context()).error().code() == Code::kDecryptFailed);
  CHECK(Rewrap(KekOf(3), Context(), sealed->dek, kek, Context()).error().code() == Code::kDecryptFailed);
  WrapContext other = Context();
  other.key = KeyContext("vault-1", Ref("EVIL/anthropic/default/1"));
  CHECK(Rewrap(kek, Context(), sealed->dek, kek, other).error().code() == Code::kInvalidArgument);
}

TEST_CASE("the AADs are the bytes PROTOCOL.md gives", "[envelope]") {
  const auto text = [](const std::string& value) {
    return base::ByteWriter().U32(static_cast<std::uint32_t>(value.size())).Raw(base::AsBytes(value)).Take();
  };
  const auto key_fields = [&](const char* domain) {
    return base::ByteWriter()
        .Raw(text(domain))
        .Raw(text("vault-1"))
        .U8(1)
        .Raw(text("AES-256-GCM"))
        .Raw(text("ACME"))
        .Raw(text("anthropic"))
        .Raw(text("ACME/anthropic/default/1"))
        .U64(1)
        .Take();
  };
  CHECK(base::Hex(PayloadAad(Context().key)) == base::Hex(key_fields("strongroom/payload/v1")));
  const Bytes wrap = base::ByteWriter()
                         .Raw(key_fields("strongroom/wrap/v1"))
                         .Raw(text("ROTATED"))
                         .U8(1)
                         .U64(1'800'000'000'000'000)
                         .Raw(text("https://api.anthropic.com:443"))
                         .U8(0)
                         .U64(1)
                         .U64(1)
                         .Take();
  CHECK(base::Hex(WrapAad(Context())) == base::Hex(wrap));
}

}  // namespace
}  // namespace strongroom::vault
