#include "vault/keyring.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "secret_probe.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "keyring-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  std::string File(const std::string& name, std::size_t size, mode_t mode = 0600) const {
    std::ofstream(*this / name) << std::string(size, static_cast<char>('a' + name[0] % 20));
    chmod((*this / name).c_str(), mode);
    return *this / name;
  }

 private:
  std::string path_;
};

TEST_CASE("a KEK file is 32 bytes, and another size is refused with its number", "[keyring]") {
  const Folder folder;
  CHECK(KekFile::Read(folder.File("1.key", 32)).has_value());
  for (const std::size_t size : {0UL, 31UL, 33UL, 64UL}) {
    const auto read = KekFile::Read(folder.File("2.key", size));
    REQUIRE_FALSE(read);
    CHECK(read.error().code() == Code::kInvalidArgument);
    CHECK(read.error().number() == static_cast<std::int64_t>(size));
  }
}

TEST_CASE("a KEK file that others can read, that is a link or no file is refused", "[keyring]") {
  const Folder folder;
  for (const mode_t mode : {0644U, 0640U, 0660U, 0604U, 0620U}) {
    CHECK(KekFile::Read(folder.File("1.key", 32, mode)).error().code() == Code::kPermissionDenied);
  }
  folder.File("1.key", 32, 0400);
  CHECK(KekFile::Read(folder / "1.key").has_value());
  fs::create_symlink(folder / "1.key", folder / "2.key");
  CHECK(KekFile::Read(folder / "2.key").error().code() == Code::kPermissionDenied);
  CHECK(KekFile::Read(folder / "3.key").error().code() == Code::kNotFound);
  CHECK(KekFile::Read(folder.path()).error().code() == Code::kPermissionDenied);
  mkfifo((folder / "4.key").c_str(), 0600);
  CHECK(KekFile::Read(folder / "4.key").error().code() == Code::kPermissionDenied);
}

TEST_CASE("a created KEK reads back, 0600, whatever the umask", "[keyring]") {
  const Folder folder;
  const mode_t before = umask(0377);
  const auto made = KekFile::Create(folder / "1.key");
  umask(before);
  REQUIRE(made);
  struct stat facts{};
  REQUIRE(stat((folder / "1.key").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777) == 0600);
  CHECK(facts.st_size == 32);
  const auto read = KekFile::Read(folder / "1.key");
  REQUIRE(read);
  CHECK(SecretProbe::Copy(read->View()) == SecretProbe::Copy(made->View()));
  CHECK(CheckValue(*read).value() == CheckValue(*made).value());
  CHECK(CheckValue(*made)->size() == 32);
}

TEST_CASE("a KEK file is never written over", "[keyring]") {
  const Folder folder;
  const auto first = KekFile::Create(folder / "1.key");
  CHECK(KekFile::Create(folder / "1.key").error().code() == Code::kAlreadyExists);
  CHECK(CheckValue(*KekFile::Read(folder / "1.key")).value() == CheckValue(*first).value());
  fs::create_symlink(folder / "nowhere", folder / "2.key");
  CHECK(KekFile::Create(folder / "2.key").error().code() == Code::kAlreadyExists);
  CHECK_FALSE(fs::exists(folder / "nowhere"));
  CHECK_FALSE(fs::exists(folder / "2.key.new"));
}

TEST_CASE("a crash's leftover does not hinder, and a link there is not followed", "[keyring]") {
  const Folder folder;
  folder.File("victim", 5);
  fs::create_symlink(folder / "victim", folder / "1.key.new");
  CHECK(KekFile::Create(folder / "1.key").has_value());
  CHECK(fs::file_size(folder / "victim") == 5);
  CHECK(KekFile::Create(folder / "missing/1.key").error().code() == Code::kUnavailable);
}

TEST_CASE("a write that fails leaves no file", "[keyring]") {
  const Folder folder;
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);  // the limit is not for our output
    const rlimit limit{16, 16};
    setrlimit(RLIMIT_FSIZE, &limit);
    execl("/proc/self/exe", "vault_test", "keyring child: full", "-w", "NoTests", nullptr);
    _exit(99);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
TEST_CASE("keyring child: full", "[.]") {
  const Folder folder;
  const auto made = KekFile::Create(folder / "1.key");
  REQUIRE_FALSE(made);
  CHECK(made.error().code() == Code::kUnavailable);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a keyring reads the versions of a directory, and ignores other names", "[keyring]") {
  const Folder folder;
  folder.File("1.key", 32);
  folder.File("2.key", 32);
  folder.File("10.key", 32);
  for (const char* name :
       {"01.key", "1.key.new", ".key", "x.key", "0.key", "-1.key", "9999999999.key", "3.KEY", "README"})
    folder.File(name, 7, 0644);
  const auto keyring = Keyring::Load(folder.path());
  REQUIRE(keyring);
  CHECK(keyring->keks().size() == 3);
  CHECK(keyring->newest() == 10);
  REQUIRE(keyring->Find(2));
  CHECK(CheckValue(**keyring->Find(2)).value() != CheckValue(**keyring->Find(10)).value());
  CHECK(keyring->Find(3).error().code() == Code::kNotFound);
}

TEST_CASE("one file is version 1", "[keyring]") {
  const Folder folder;
  const auto keyring = Keyring::Load(folder.File("any", 32));
  REQUIRE(keyring);
  CHECK(keyring->newest() == 1);
}

TEST_CASE("a bad file refuses the keyring and is named", "[keyring]") {
  const Folder folder;
  CHECK(Keyring::Load(folder.path()).error().error.code() == Code::kNotFound);
  CHECK(Keyring::Load(folder / "missing").error().error.code() == Code::kNotFound);
  folder.File("1.key", 32);
  folder.File("2.key", 31);
  const auto keyring = Keyring::Load(folder.path());
  REQUIRE_FALSE(keyring);
  CHECK(keyring.error().path == folder / "2.key");
  CHECK(keyring.error().error.number() == 31);
}

TEST_CASE("the check value is HKDF with info kcv", "[keyring]") {
  // openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:00…1f -kdfopt info:kcv HKDF
  Bytes bytes(32);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  CHECK(base::Hex(CheckValue(SecretProbe::KekOf(bytes)).value()) ==
        "d36b261a840815a483e7af59863b3996283e0c982ad4eb8a29663aa6462a1e8d");
}

TEST_CASE("the vault's own keys are bound to vault, name and KEK version", "[keyring]") {
  const Kek kek = SecretProbe::KekOf(Bytes(32, 1)), other = SecretProbe::KekOf(Bytes(32, 2));
  const auto key = MacKey::Generate();
  REQUIRE(key);
  const auto wrapped = WrapMacKey(kek, 1, "vault-1", "profile-mac", *key);
  REQUIRE(wrapped);
  CHECK(wrapped->kek_version == 1);
  const auto opened = UnwrapMacKey(kek, "vault-1", "profile-mac", *wrapped);
  REQUIRE(opened);
  CHECK(SecretProbe::Copy(opened->View()) == SecretProbe::Copy(key->View()));
  const auto fails = [](const Result<MacKey>& result) {
    return !result && result.error().code() == Code::kDecryptFailed;
  };
  CHECK(fails(UnwrapMacKey(other, "vault-1", "profile-mac", *wrapped)));
  CHECK(fails(UnwrapMacKey(kek, "vault-2", "profile-mac", *wrapped)));
  CHECK(fails(UnwrapMacKey(kek, "vault-1", "fingerprint", *wrapped)));
  WrappedSecret changed = *wrapped;
  changed.kek_version = 2;
  CHECK(fails(UnwrapMacKey(kek, "vault-1", "profile-mac", changed)));
  changed = *wrapped;
  changed.ciphertext.push_back(0);
  CHECK(fails(UnwrapMacKey(kek, "vault-1", "profile-mac", changed)));
  changed = *wrapped;
  changed.nonce[0] ^= 1;
  CHECK(fails(UnwrapMacKey(kek, "vault-1", "profile-mac", changed)));
}

}  // namespace
}  // namespace strongroom::vault
