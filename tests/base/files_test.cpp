#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace strongroom;

namespace {

class Folder {
 public:
  Folder() {
    char path[] = "/tmp/strongroom-files-XXXXXX";
    path_ = mkdtemp(path);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

mode_t ModeOf(const std::string& path) {
  struct stat facts{};
  REQUIRE(stat(path.c_str(), &facts) == 0);
  return facts.st_mode & 07777;
}

}  // namespace

TEST_CASE("a written file is whole, has its mode, and leaves no temporary") {
  const Folder folder;
  REQUIRE(base::WriteFileAtomic(folder / "f", "one", 0640).has_value());
  REQUIRE(base::WriteFileAtomic(folder / "f", "two", 0600).has_value());
  CHECK(base::ReadFile(folder / "f", 100).value() == "two");
  CHECK(ModeOf(folder / "f") == 0600);
  CHECK_FALSE(std::filesystem::exists(folder / "f.new"));
}

TEST_CASE("writing where it cannot be written fails and changes nothing") {
  const Folder folder;
  CHECK_FALSE(base::WriteFileAtomic(folder / "no/such/f", "x", 0600).has_value());
  CHECK_FALSE(base::WriteFileAtomic("/dev/full/x", "x", 0600).has_value());
}

TEST_CASE("a finished temporary takes the place of what was there, or stays where it cannot") {
  const Folder folder;
  std::ofstream(folder / "f") << "old";
  std::ofstream(folder / "f.part") << "new";
  std::filesystem::create_directories(folder / "d/in-the-way");
  CHECK_FALSE(base::PutInPlace(folder / "f.part", folder / "d").has_value());
  CHECK(std::filesystem::exists(folder / "f.part"));
  REQUIRE(base::PutInPlace(folder / "f.part", folder / "f").has_value());
  CHECK(base::ReadFile(folder / "f", 100).value() == "new");
  CHECK_FALSE(std::filesystem::exists(folder / "f.part"));
  CHECK_FALSE(base::PutInPlace(folder / "f.part", folder / "f").has_value());
}

TEST_CASE("a finished temporary can be told to leave alone what is there") {
  const Folder folder;
  REQUIRE(base::WriteFileAtomic(folder / "f", "first", 0600).has_value());
  REQUIRE(base::WriteFileAtomic(folder / "f.part", "second", 0600).has_value());
  const auto written = base::WriteFileAtomic(folder / "f", "another", 0600, base::Replace::kNo);
  REQUIRE_FALSE(written.has_value());
  CHECK(written.error().code() == Code::kAlreadyExists);
  const auto kept = base::PutInPlace(folder / "f.part", folder / "f", base::Replace::kNo);
  REQUIRE_FALSE(kept.has_value());
  CHECK(kept.error().code() == Code::kAlreadyExists);
  CHECK(base::ReadFile(folder / "f", 100).value() == "first");
  CHECK(base::PutInPlace(folder / "f.part", folder / "g", base::Replace::kNo).has_value());
  CHECK(base::ReadFile(folder / "g", 100).value() == "second");
}

TEST_CASE("a file over its bound is not read") {
  const Folder folder;
  REQUIRE(base::WriteFileAtomic(folder / "f", std::string(101, 'x'), 0600).has_value());
  CHECK(base::ReadFile(folder / "f", 100).error().code() == Code::kResourceExhausted);
  CHECK(base::ReadFile(folder / "none", 100).error().code() == Code::kNotFound);
}

TEST_CASE("what is no plain file keeps no reader") {
  const Folder folder;
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  for (const std::string& path : {folder / "pipe", std::string("/dev/zero"), folder / "."}) {
    CHECK(base::ReadFile(path, 100).error().code() == Code::kInvalidArgument);
  }
}

TEST_CASE("all is written, from where it is to go, or the errno is told") {
  const Folder folder;
  const base::UniqueFd fd(open((folder / "f").c_str(), O_RDWR | O_CREAT, 0600));
  REQUIRE(base::WriteAll(fd.get(), base::AsBytes("one two")).has_value());
  REQUIRE(base::WriteAt(fd.get(), base::AsBytes("TWO"), 4).has_value());
  CHECK(base::ReadFile(folder / "f", 100).value() == "one TWO");
  const base::UniqueFd full(open("/dev/full", O_WRONLY));
  CHECK(base::WriteAll(full.get(), base::AsBytes("x")).error().number() == ENOSPC);
  CHECK(base::WriteAt(-1, base::AsBytes("x"), 0).error().number() == EBADF);
}

TEST_CASE("a private file must be private, regular, and no link") {
  const Folder folder;
  REQUIRE(base::WriteFileAtomic(folder / "k", "x", 0600).has_value());
  CHECK(base::OpenPrivate(folder / "k").has_value());
  for (const mode_t mode : {0640U, 0604U, 0660U, 0601U}) {
    REQUIRE(chmod((folder / "k").c_str(), mode) == 0);
    CHECK(base::OpenPrivate(folder / "k").error().code() == Code::kPermissionDenied);
  }
  REQUIRE(chmod((folder / "k").c_str(), 0400) == 0);
  CHECK(base::OpenPrivate(folder / "k").has_value());
  REQUIRE(symlink((folder / "k").c_str(), (folder / "link").c_str()) == 0);
  CHECK(base::OpenPrivate(folder / "link").error().code() == Code::kPermissionDenied);
  CHECK(base::OpenPrivate(folder / "").error().code() == Code::kPermissionDenied);
  REQUIRE(mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(base::OpenPrivate(folder / "fifo").error().code() == Code::kPermissionDenied);
  CHECK(base::OpenPrivate(folder / "none").error().code() == Code::kNotFound);
}

TEST_CASE("a lock is held by one descriptor at a time") {
  const Folder folder;
  auto first = base::LockFile(folder / "lock");
  REQUIRE(first.has_value());
  CHECK(base::LockFile(folder / "lock").error().code() == Code::kAlreadyExists);
  first->Reset();
  CHECK(base::LockFile(folder / "lock").has_value());
}

TEST_CASE("a directory is made once, with its mode") {
  const Folder folder;
  REQUIRE(base::CreateDirectory(folder / "d", 0750).has_value());
  CHECK(ModeOf(folder / "d") == 0750);
  CHECK(base::CreateDirectory(folder / "d", 0750).error().code() == Code::kAlreadyExists);
}
