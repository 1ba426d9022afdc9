#include "vault/sealed_box.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>
#include <string>

#include "secret_probe.h"

namespace strongroom::vault {
namespace {

// One case of PyNaCl's reference file: private key, public key, plaintext, box, in hexadecimal.
struct Reference {
  Bytes private_key, public_key, plaintext, sealed;
};

Reference ReadReference() {
  std::ifstream file(std::string(STRONGROOM_VECTORS) + "/pynacl_sealed_box_ref.txt");
  REQUIRE(file.is_open());
  std::string line;
  while (std::getline(file, line) && line.starts_with('#')) continue;
  std::istringstream fields(line);
  std::string private_key, public_key, plaintext, sealed;
  REQUIRE(fields >> private_key >> public_key >> plaintext >> sealed);
  return {base::Unhex(private_key).value(), base::Unhex(public_key).value(), base::Unhex(plaintext).value(),
          base::Unhex(sealed).value()};
}

Bytes Flipped(Bytes bytes, std::size_t bit) {
  bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
  return bytes;
}

bool Refused(const Bytes& private_key, ByteView public_key, ByteView sealed) {
  const auto opened = SealedBox::OpenSealed(SecretProbe::Of(private_key).View(), public_key, sealed);
  return !opened && opened.error().code() == Code::kDecryptFailed;
}

TEST_CASE("a sealed box with a flipped bit, another length or another key does not open", "[sealed_box]") {
  const Reference one = ReadReference();
  for (std::size_t bit = 0; bit < one.sealed.size() * 8; bit += 37) {
    CHECK(Refused(one.private_key, one.public_key, Flipped(one.sealed, bit)));
  }
  Bytes longer = one.sealed;
  longer.push_back(0);
  CHECK(Refused(one.private_key, one.public_key, longer));
  for (const std::size_t size : {std::size_t{0}, SealedBox::kOverhead - 1, SealedBox::kOverhead, one.sealed.size() - 1}) {
    CHECK(Refused(one.private_key, one.public_key, ByteView(one.sealed).first(size)));
  }
  CHECK(Refused(one.private_key, one.public_key, Bytes(SecretValue::kMostBytes + SealedBox::kOverhead + 1)));
  CHECK(Refused(Flipped(one.private_key, 100), one.public_key, one.sealed));
  CHECK(Refused(one.private_key, Flipped(one.public_key, 0), one.sealed));
  CHECK(Refused(Bytes(31), one.public_key, one.sealed));
  CHECK(Refused(one.private_key, Bytes(33), one.sealed));
}

TEST_CASE("nothing is sealed to a public key of small order or of another length", "[sealed_box]") {
  const SecretValue secret = SecretProbe::Of("a secret");
  // RFC 7748, section 6.1: with such a key the shared secret is all zeros whatever the private key is.
  Bytes one(SealedBox::kKeyBytes);
  one[0] = 1;
  for (const Bytes& bad : {Bytes(SealedBox::kKeyBytes), one, Bytes(31, 9), Bytes(33, 9), Bytes()}) {
    const auto sealed = SealedBox::SealTo(bad, secret.View());
    REQUIRE_FALSE(sealed);
    CHECK(sealed.error().code() == Code::kInvalidArgument);
  }
  CHECK(SealedBox::PublicOf(SecretProbe::Of(Bytes(31)).View()).error().code() == Code::kInvalidArgument);
}

TEST_CASE("a sealed box opens as PyNaCl's reference says", "[sealed_box]") {
  const Reference one = ReadReference();
  const SecretValue private_key = SecretProbe::Of(one.private_key);
  CHECK(SealedBox::PublicOf(private_key.View()).value() == one.public_key);  // RFC 7748, section 6.1: Alice's
  const auto opened = SealedBox::OpenSealed(private_key.View(), one.public_key, one.sealed);
  REQUIRE(opened);
  CHECK(SecretProbe::Copy(opened->View()) == one.plaintext);
}

TEST_CASE("what is sealed to a fresh pair opens with its private half alone", "[sealed_box]") {
  const auto mine = SealedBox::Generate(), other = SealedBox::Generate();
  REQUIRE((mine && other));
  CHECK(mine->public_key != other->public_key);
  for (const std::size_t size : {std::size_t{0}, std::size_t{32}, SecretValue::kMostBytes}) {
    const auto secret = SecretValue::Random(size);
    const auto sealed = SealedBox::SealTo(mine->public_key, secret->View());
    const auto again = SealedBox::SealTo(mine->public_key, secret->View());
    REQUIRE((sealed && again));
    CHECK(sealed->size() == size + SealedBox::kOverhead);
    CHECK(*sealed != *again);
    const auto opened = SealedBox::OpenSealed(mine->private_key.View(), mine->public_key, *sealed);
    REQUIRE(opened);
    CHECK(SecretProbe::Copy(opened->View()) == SecretProbe::Copy(secret->View()));
    CHECK_FALSE(SealedBox::OpenSealed(other->private_key.View(), other->public_key, *sealed));
  }
}

}  // namespace
}  // namespace strongroom::vault
