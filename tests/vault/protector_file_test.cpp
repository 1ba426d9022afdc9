// What stands between a KEK and its reader: the files of passphrases and credentials, and what opens them.
#include "vault/protector_file.h"

#include <catch2/catch.hpp>

#include "secret_probe.h"
#include "vault/sealed_box.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kVault = "0123456789abcdef0123456789abcdef";
constexpr std::string_view kWords = "correct horse battery staple";
// Far below what vaultd takes: these tests are not about the cost.
constexpr Cipher::Argon2 kCheap{1, 64 << 10};

Kek AKek(std::uint8_t byte = 7) { return SecretProbe::KekOf(Bytes(Kek::kBytes, byte)); }
SecretValue Words(std::string_view words = kWords) { return SecretProbe::Of(words); }

PassphraseLock ALock() { return MakePassphraseLock(kVault, Words().View(), kCheap).value(); }
ProtectorFile UnderPassphrase(const PassphraseLock& lock, std::int64_t version = 3) {
  return LockByPassphrase(kVault, version, lock, AKek()).value();
}
ProtectorFile UnderCredential(std::uint8_t credential = 9) {
  return LockByCredential(kVault, 3, SecretProbe::Of(Bytes(32, credential)).View(), AKek()).value();
}

Code UnlockError(const ProtectorFile& file, SecretView opener, std::int64_t version = 3, std::string_view vault = kVault) {
  const auto kek = Unlock(file, vault, version, opener);
  REQUIRE_FALSE(kek);
  return kek.error().code();
}

}  // namespace

TEST_CASE("protector: Argon2id makes what the reference implementation makes", "[protector]") {
  // The program argon2 0~20171227 of Debian 12: argon2 SALT -id -t T -k K -p 1 -l 32 -r
  const auto is = [](std::string_view salt, const Cipher::Argon2& cost, std::string_view expected) {
    const auto stretched = Cipher::Stretch(Words().View(), base::AsBytes(salt), cost);
    REQUIRE(stretched);
    CHECK(base::Hex(SecretProbe::Copy(stretched->View())) == expected);
  };
  is("0123456789abcdef", {3, 8192 << 10}, "5e2496dc31a5f58c8739f1373dd238d4a01ef6ba96e9abac5c3117e37531bd46");
  is("fedcba9876543210", {4, 64 << 10}, "d6509cafc2859e62041a083a7f6f9f62bba1ee7a786bb44b1359a2590049dfad");
  CHECK(Cipher::Stretch(Words().View(), Bytes(15), kCheap).error().code() == Code::kInvalidArgument);
  CHECK(Cipher::Stretch(Words().View(), Bytes(16), {0, 0}).error().code() == Code::kUnavailable);
  CHECK(Cipher::Stretch(Words().View(), Bytes(16), {1, std::uint64_t{1} << 50}).error().code() == Code::kUnavailable);
}

TEST_CASE("protector: a passphrase opens its key pair, and nothing else does", "[protector]") {
  const PassphraseLock lock = ALock();
  for (const std::string_view wrong : {"correct horse battery stapl", "correct horse battery staple ", "Correct horse battery staple"}) {
    CHECK(OpenPassphraseLock(kVault, lock, Words(wrong).View()).error().code() == Code::kDecryptFailed);
  }
  CHECK(OpenPassphraseLock("another vault", lock, Words().View()).error().code() == Code::kDecryptFailed);
  for (int field = 0; field < 6; ++field) {
    PassphraseLock other = lock;
    if (field == 0) other.cost.passes += 1;
    if (field == 1) other.cost.memory /= 2;
    if (field == 2) other.salt[0] ^= 1;
    if (field == 3) other.public_key[0] ^= 1;
    if (field == 4) other.nonce[0] ^= 1;
    if (field == 5) other.sealed_private[0] ^= 1;
    INFO("field " << field);
    CHECK_FALSE(OpenPassphraseLock(kVault, other, Words().View()));
  }
  const auto half = OpenPassphraseLock(kVault, lock, Words().View());
  REQUIRE(half);
  CHECK(SealedBox::PublicOf(half->View()).value() == lock.public_key);
}

TEST_CASE("protector: a KEK version comes under a passphrase's lock without the passphrase", "[protector]") {
  const PassphraseLock lock = ALock();
  const ProtectorFile third = UnderPassphrase(lock), fourth = UnderPassphrase(lock, 4);
  CHECK(third.wrapped != fourth.wrapped);
  const auto half = OpenPassphraseLock(kVault, lock, Words().View());
  REQUIRE(half);
  CHECK(SecretProbe::Copy(Unlock(third, kVault, 3, half->View()).value().View()) == Bytes(32, 7));
  CHECK(UnlockError(third, half->View(), 4) == Code::kCorrupt);
  CHECK(UnlockError(third, half->View(), 3, "another vault") == Code::kCorrupt);
  CHECK(UnlockError(third, SealedBox::Generate()->private_key.View()) == Code::kDecryptFailed);
}

TEST_CASE("protector: a credential opens what is under it, and no other does", "[protector]") {
  const ProtectorFile file = UnderCredential();
  const SecretValue credential = SecretProbe::Of(Bytes(32, 9)), other = SecretProbe::Of(Bytes(32, 8));
  CHECK(SecretProbe::Copy(Unlock(file, kVault, 3, credential.View()).value().View()) == Bytes(32, 7));
  CHECK(UnlockError(file, other.View()) == Code::kDecryptFailed);
  CHECK(UnlockError(file, credential.View(), 4) == Code::kCorrupt);
  ProtectorFile moved = file;
  moved.kek_version = 4;
  CHECK(UnlockError(moved, credential.View(), 4) == Code::kDecryptFailed);
}

TEST_CASE("protector: a stranger's public key or another cost is noticed with the KEK at hand", "[protector]") {
  const ProtectorFile file = UnderPassphrase(ALock());
  CHECK(file.IsGenuine(AKek(), kVault, 3));
  CHECK_FALSE(file.IsGenuine(AKek(8), kVault, 3));
  CHECK_FALSE(file.IsGenuine(AKek(), kVault, 4));
  CHECK_FALSE(file.IsGenuine(AKek(), "another vault", 3));
  ProtectorFile swapped = file, cheaper = file, anew = file;
  std::get<PassphraseLock>(swapped.lock).public_key = SealedBox::Generate()->public_key;
  std::get<PassphraseLock>(cheaper.lock).cost.memory /= 2;
  CHECK_FALSE(swapped.IsGenuine(AKek(), kVault, 3));
  CHECK_FALSE(cheaper.IsGenuine(AKek(), kVault, 3));
  // A stranger can make a whole file, with a KEK of its own: it opens, and is not the database's KEK.
  REQUIRE(anew.Authenticate(AKek(8)));
  CHECK_FALSE(anew.IsGenuine(AKek(), kVault, 3));
}

TEST_CASE("protector: a file with any bit flipped, a byte more or less, is not genuine or does not parse", "[protector]") {
  for (const ProtectorFile& file : {UnderPassphrase(ALock()), UnderCredential()}) {
    const Bytes bytes = file.Encode();
    CHECK(ProtectorFile::Decode(bytes).value().Encode() == bytes);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      Bytes flipped = bytes;
      flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      const auto read = ProtectorFile::Decode(flipped);
      if (read && read->IsGenuine(AKek(), kVault, 3)) FAIL("bit " << bit << " is not covered");
    }
    Bytes longer = bytes;
    longer.push_back(0);
    CHECK(ProtectorFile::Decode(longer).error().code() == Code::kCorrupt);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      if (ProtectorFile::Decode(ByteView(bytes).first(size))) FAIL("cut at " << size);
    }
  }
}

TEST_CASE("protector: a file cannot ask for more than the machine has", "[protector]") {
  ProtectorFile file = UnderPassphrase(ALock());
  auto& cost = std::get<PassphraseLock>(file.lock).cost;
  cost = ProtectorFile::kMostCost;
  CHECK(ProtectorFile::Decode(file.Encode()));
  ++cost.memory;
  CHECK_FALSE(ProtectorFile::Decode(file.Encode()));
  cost = {ProtectorFile::kMostCost.passes + 1, 8 << 10};
  CHECK_FALSE(ProtectorFile::Decode(file.Encode()));
}

TEST_CASE("protector: names", "[protector]") {
  CHECK(ProtectorFileName(12, ProtectorKind::kFile) == "12.key");
  CHECK(ProtectorFileName(1, ProtectorKind::kPassphrase) == "1.passphrase");
  for (const ProtectorKind kind : kProtectorKinds) {
    CHECK(ProtectorNamed(ProtectorName(kind)) == kind);
    CHECK(VersionOfFileName(ProtectorFileName(999'999'999, kind)) == 999'999'999);
  }
  CHECK_FALSE(ProtectorNamed("key"));
  for (const std::string_view name : {"", ".key", "1", "1.", "01.key", "0.key", "-1.key", "1.key.staged", "1.file", "1000000000.key"}) {
    INFO(name);
    CHECK(VersionOfFileName(name) == 0);
  }
}

}  // namespace strongroom::vault
