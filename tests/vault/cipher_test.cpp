#include "vault/cipher.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "secret_probe.h"
#include "vault/arena.h"

namespace strongroom::vault {
namespace {

using Case = std::map<std::string, std::string>;

// Reads "Name = value" lines; a case ends where `last` was read or with a line FAIL, or, without a `last`, at
// a blank line.
std::vector<Case> ReadCases(const std::string& name, const std::string& last) {
  std::ifstream file(std::string(STRONGROOM_VECTORS) + "/" + name);
  REQUIRE(file.is_open());
  std::vector<Case> cases;
  Case current;
  for (std::string line; std::getline(file, line);) {
    std::string field = line == "FAIL" ? line : "";
    const std::size_t equals = line.find('=');
    if (!line.empty() && line[0] != '#' && line[0] != '[' && equals != std::string::npos) {
      const std::size_t value = line.find_first_not_of(' ', equals + 1);
      field = line.substr(0, line.find_last_not_of(' ', equals - 1) + 1);
      current[field] = value == std::string::npos ? "" : line.substr(value);
    }
    if (field == "FAIL") current[field] = "";
    const bool ends = field == "FAIL" || (last.empty() ? line.empty() : field == last);
    if (ends && !current.empty()) cases.push_back(std::exchange(current, {}));
  }
  if (!current.empty()) cases.push_back(current);
  return cases;
}

Bytes Field(const Case& one, const std::string& name) {
  return base::Unhex(one.at(name)).value();
}

Bytes Joined(Bytes first, const Bytes& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

bool Refused(const SecretValue& key, ByteView nonce, ByteView aad, ByteView ciphertext) {
  const auto opened = Cipher::OpenWith(key.View(), nonce, aad, ciphertext);
  return !opened && opened.error().code() == Code::kDecryptFailed;
}

Bytes Flipped(Bytes bytes, std::size_t bit) {
  bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
  return bytes;
}

// What opens must not open again with a flipped bit, an extra or missing byte, or another context.
void CheckVariants(const SecretValue& key, const Bytes& nonce, const Bytes& aad, const Bytes& sealed) {
  bool all = true;
  for (const std::size_t bit : {std::size_t{0}, sealed.size() * 4, sealed.size() * 8 - 1}) {
    all = all && Refused(key, nonce, aad, Flipped(sealed, bit));
  }
  all = all && Refused(key, Flipped(nonce, 95), aad, sealed) && Refused(key, nonce, Joined(aad, {0}), sealed);
  if (!aad.empty())
    all = all && Refused(key, nonce, Flipped(aad, 0), sealed) && Refused(key, nonce, {}, sealed);
  all = all && Refused(key, nonce, aad, Joined(sealed, {0})) &&
        Refused(key, nonce, aad, Joined({0}, sealed)) &&
        Refused(key, nonce, aad, ByteView(sealed).first(sealed.size() - 1)) &&
        Refused(SecretProbe::Of(Flipped(SecretProbe::Copy(key.View()), 255)), nonce, aad, sealed);
  CHECK(all);
}

TEST_CASE("AES-256-GCM seals as NIST's vectors say", "[cipher]") {
  const auto cases = ReadCases("nist_gcm_encrypt_256.rsp", "Tag");
  REQUIRE(cases.size() == 375);
  for (const Case& one : cases) {
    INFO("Count " << one.at("Count") << " Key " << one.at("Key"));
    const SecretValue key = SecretProbe::Of(Field(one, "Key"));
    const auto sealed = Cipher::SealWith(key.View(), Field(one, "IV"), Field(one, "AAD"),
                                         SecretProbe::Of(Field(one, "PT")).View());
    CHECK(sealed == Joined(Field(one, "CT"), Field(one, "Tag")));
    CheckVariants(key, Field(one, "IV"), Field(one, "AAD"), *sealed);
  }
}

TEST_CASE("AES-256-GCM opens as NIST's vectors say, and refuses what they say", "[cipher]") {
  const auto cases = ReadCases("nist_gcm_decrypt_256.rsp", "PT");
  REQUIRE(cases.size() == 375);
  int refused = 0;
  for (const Case& one : cases) {
    INFO("Count " << one.at("Count") << " Key " << one.at("Key"));
    const SecretValue key = SecretProbe::Of(Field(one, "Key"));
    const Bytes sealed = Joined(Field(one, "CT"), Field(one, "Tag"));
    if (one.contains("FAIL")) {
      ++refused;
      CHECK(Refused(key, Field(one, "IV"), Field(one, "AAD"), sealed));
      continue;
    }
    const auto opened = Cipher::OpenWith(key.View(), Field(one, "IV"), Field(one, "AAD"), sealed);
    REQUIRE(opened);
    CHECK(SecretProbe::Copy(opened->View()) == Field(one, "PT"));
    CheckVariants(key, Field(one, "IV"), Field(one, "AAD"), sealed);
  }
  CHECK(refused > 100);
}

TEST_CASE("AES-256-GCM passes Wycheproof", "[cipher]") {
  int valid = 0, invalid = 0;
  for (const Case& one : ReadCases("wycheproof/aes_gcm_test.txt", "")) {
    if (one.at("key").size() != 64) continue;
    INFO("key " << one.at("key") << " ct " << one.at("ct"));
    const SecretValue key = SecretProbe::Of(Field(one, "key"));
    const Bytes nonce = Field(one, "iv"), aad = Field(one, "aad"),
                sealed = Joined(Field(one, "ct"), Field(one, "tag"));
    if (one.at("result") != "valid" || nonce.size() != Cipher::kNonceBytes) {
      ++invalid;
      CHECK(Refused(key, nonce, aad, sealed));
      continue;
    }
    ++valid;
    const auto opened = Cipher::OpenWith(key.View(), nonce, aad, sealed);
    REQUIRE(opened);
    CHECK(SecretProbe::Copy(opened->View()) == Field(one, "msg"));
    CHECK(Cipher::SealWith(key.View(), nonce, aad, opened->View()).value() == sealed);
    CheckVariants(key, nonce, aad, sealed);
  }
  CHECK(valid >= 20);
  CHECK(invalid >= 30);
}

TEST_CASE("HMAC-SHA-256 passes Wycheproof", "[cipher]") {
  const auto cases = ReadCases("wycheproof/hmac_sha256_test.txt", "");
  REQUIRE(cases.size() > 100);
  for (const Case& one : cases) {
    INFO("key " << one.at("key") << " msg " << one.at("msg"));
    const Bytes tag = Field(one, "tag");
    const auto mac = Cipher::Mac(SecretProbe::Of(Field(one, "key")).View(), Field(one, "msg"));
    REQUIRE(mac);
    CHECK(Cipher::Equal(ByteView(*mac).first(tag.size()), tag) == (one.at("result") == "valid"));
  }
}

TEST_CASE("HKDF-SHA-256 passes Wycheproof where it has no salt", "[cipher]") {
  int derived = 0, both = 0;
  for (const Case& one : ReadCases("wycheproof/hkdf_sha256_test.txt", "")) {
    if (!one.at("salt").empty() || std::stoul(one.at("size")) > 64) continue;
    INFO("ikm " << one.at("ikm") << " info " << one.at("info"));
    ++derived;
    const Bytes info = Field(one, "info");
    const auto okm = Cipher::DerivePublic(SecretProbe::Of(Field(one, "ikm")).View(), base::AsText(info),
                                          std::stoul(one.at("size")));
    REQUIRE(okm);
    CHECK(*okm == Field(one, "okm"));
    if (okm->size() < Cipher::kMacBytes) continue;
    // The same block from one extraction, in either place, with another beside it.
    ++both;
    const Bytes block(okm->begin(), okm->begin() + Cipher::kMacBytes);
    const SecretValue ikm = SecretProbe::Of(Field(one, "ikm"));
    const auto here = Cipher::DeriveBoth(ikm.View(), base::AsText(info), "another");
    const auto there = Cipher::DeriveBoth(ikm.View(), "another", base::AsText(info));
    REQUIRE((here && there));
    CHECK(SecretProbe::Copy(here->secret.View()) == block);
    CHECK(there->published == block);
    CHECK(here->published == *Cipher::DerivePublic(ikm.View(), "another", Cipher::kMacBytes));
    CHECK(SecretProbe::Copy(there->secret.View()) == here->published);
  }
  CHECK(derived >= 20);
  CHECK(both >= 10);
}

TEST_CASE("rubbish does not open", "[cipher]") {
  const SecretValue key = SecretProbe::Of(Bytes(32, 7));
  const Bytes nonce(12), aad(3);
  for (const std::size_t size : {0UL, 1UL, 15UL, 16UL, 48UL, 2064UL, 2065UL, 100'000UL})
    CHECK(Refused(key, nonce, aad, Bytes(size, 1)));
  CHECK(Refused(key, Bytes(11), aad, Bytes(48)));
  CHECK(Refused(key, Bytes(13), aad, Bytes(48)));
  CHECK(Refused(key, nonce, Bytes(65537), Bytes(48)));
  CHECK(Refused(SecretProbe::Of(Bytes(31)), nonce, aad, Bytes(48)));
  CHECK(Refused(SecretProbe::Of(Bytes(33)), nonce, aad, Bytes(48)));
}

TEST_CASE("sealing refuses wrong keys, nonces and contexts", "[cipher]") {
  const SecretValue key = SecretProbe::Of(Bytes(32, 7)), plain = SecretProbe::Of("x");
  CHECK_FALSE(Cipher::SealWith(SecretProbe::Of(Bytes(16)).View(), Bytes(12), {}, plain.View()));
  CHECK_FALSE(Cipher::SealWith(key.View(), Bytes(16), {}, plain.View()));
  CHECK_FALSE(Cipher::SealWith(key.View(), Bytes(12), Bytes(65537), plain.View()));
}

TEST_CASE("nothing of the plaintext stays where an open failed", "[cipher]") {
  const SecretValue key = SecretProbe::Of(Bytes(32, 7));
  const Bytes nonce(12);
  Bytes sealed =
      Cipher::SealWith(key.View(), nonce, {}, SecretProbe::Of(std::string(200, 'k')).View()).value();
  sealed.back() ^= 1;
  const std::uint8_t* slot = nullptr;
  {
    auto next = SecretValue::Allocate(1);
    slot = SecretProbe::Writable(*next).data();
  }
  CHECK(Refused(key, nonce, {}, sealed));
  auto again = SecretValue::Allocate(Arena::kSmallSlot);
  REQUIRE(again);
  CHECK(SecretProbe::Writable(*again).data() == slot);
  CHECK(SecretProbe::Copy(again->View()) == Bytes(Arena::kSmallSlot));
}

TEST_CASE("HMAC-SHA-256 is RFC 4231's", "[cipher]") {
  const auto cases = ReadCases("rfc_4231_hmac_sha256.txt", "MD");
  REQUIRE(cases.size() >= 6);
  for (const Case& one : cases) {
    const SecretValue key = SecretProbe::Of(Field(one, "Key"));
    CHECK(Cipher::Mac(key.View(), Field(one, "Msg")) == Field(one, "MD"));
    CHECK(Cipher::MacOfSecret(key.View(), SecretProbe::Of(Field(one, "Msg")).View()) == Field(one, "MD"));
    CHECK(Cipher::Mac(key.View(), Joined(Field(one, "Msg"), {0})) != Field(one, "MD"));
    CHECK(Cipher::Mac(SecretProbe::Of(Flipped(Field(one, "Key"), 0)).View(), Field(one, "Msg")) !=
          Field(one, "MD"));
  }
}

TEST_CASE("HKDF-SHA-256 is RFC 5869's", "[cipher]") {
  const auto cases = ReadCases("rfc_5869_hkdf_sha256.txt", "OKM");
  REQUIRE(cases.size() == 3);
  int derived = 0;
  for (const Case& one : cases) {
    const SecretValue input = SecretProbe::Of(Field(one, "IKM"));
    // Extract, with the salts of the RFC, is HMAC of the input.
    CHECK(Cipher::MacOfSecret(SecretProbe::Of(Field(one, "salt")).View(), input.View()) == Field(one, "PRK"));
    if (!one.at("salt").empty()) continue;
    ++derived;
    const Bytes info = Field(one, "info"), expected = Field(one, "OKM");
    for (std::size_t size = 0; size <= expected.size(); ++size) {
      CHECK(Cipher::DerivePublic(input.View(), base::AsText(info), size) ==
            Bytes(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(size)));
    }
    CHECK(SecretProbe::Copy(Cipher::Derive(input.View(), base::AsText(info), 42)->View()) == expected);
    CHECK(Cipher::DerivePublic(input.View(), "x", 42) != expected);
  }
  CHECK(derived == 1);
  CHECK(Cipher::Derive(SecretProbe::Of("k").View(), "x", 64).has_value());
  CHECK(Cipher::Derive(SecretProbe::Of("k").View(), "x", 65).error().code() == Code::kInvalidArgument);
}

TEST_CASE("Equal compares whole values", "[cipher]") {
  CHECK(Cipher::Equal(Bytes{1, 2, 3}, Bytes{1, 2, 3}));
  CHECK(Cipher::Equal({}, {}));
  CHECK_FALSE(Cipher::Equal(Bytes{1, 2, 3}, Bytes{1, 2, 4}));
  CHECK_FALSE(Cipher::Equal(Bytes{1, 2, 3}, Bytes{1, 2}));
}

TEST_CASE("nonces do not repeat", "[cipher]") {
  CHECK(Cipher::RandomNonce().size() == 12);
  CHECK(Cipher::RandomNonce() != Cipher::RandomNonce());
}

TEST_CASE("threads seal and open at once", "[cipher]") {
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (std::uint8_t t = 1; t <= 4; ++t) {
    threads.emplace_back([t, &wrong] {
      const SecretValue key = SecretProbe::Of(Bytes(32, t)), plain = SecretProbe::Of(Bytes(100, t));
      for (int i = 0; i < 500; ++i) {
        const Bytes nonce = Cipher::RandomNonce();
        const auto sealed = Cipher::SealWith(key.View(), nonce, {}, plain.View());
        const auto opened = Cipher::OpenWith(key.View(), nonce, {}, sealed.value());
        if (!opened || SecretProbe::Copy(opened->View()) != Bytes(100, t)) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace strongroom::vault
