#include "vault/kek_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/files.h"
#include "vault/cipher.h"

namespace strongroom::vault {
namespace {

std::string Parent(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Fills `into` from the file, straight from the kernel: no buffer in between ever holds the KEK.
bool ReadExactly(int fd, std::span<std::uint8_t> into) {
  while (!into.empty()) {
    const ssize_t got = read(fd, into.data(), into.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

Result<off_t> SizeOf(int fd) {
  struct stat facts{};
  if (fstat(fd, &facts) != 0) return Fail(Code::kUnavailable, "cannot be examined: errno", errno);
  return facts.st_size;
}

Result<base::UniqueFd> OpenCredential(const std::string& path) {
  auto fd = base::OpenPrivate(path);
  if (fd || fd.error().code() != Code::kPermissionDenied) return fd;
  base::UniqueFd shared(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat facts{};
  const bool roots = shared.valid() && fstat(shared.get(), &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_uid == 0 &&
                     facts.st_gid == 0 && (facts.st_mode & 0037) == 0;
  if (!roots) return fd;
  return shared;
}

}  // namespace

Result<SecretValue> KekFile::ReadRaw(int fd, base::Literal wrong_size) {
  TRY_ASSIGN(const off_t size, SizeOf(fd));
  if (size != static_cast<off_t>(Kek::kBytes)) return Fail(Code::kInvalidArgument, wrong_size, size);
  TRY_ASSIGN(SecretValue value, SecretValue::Allocate(Kek::kBytes));
  if (!ReadExactly(fd, value.Bytes(SecretAccess()))) return Fail(Code::kUnavailable, "cannot be read: errno", errno);
  return value;
}

Result<Kek> KekFile::Read(const std::string& path) {
  TRY_ASSIGN(const base::UniqueFd fd, base::OpenPrivate(path));
  TRY_ASSIGN(SecretValue value, ReadRaw(fd.get(), "a KEK file holds exactly 32 raw bytes, this one has another size"));
  return Kek::FromSecret(std::move(value));
}

Result<SecretValue> KekFile::ReadSecret(const std::string& path) {
  TRY_ASSIGN(const base::UniqueFd fd, base::OpenPrivate(path));
  return ReadRaw(fd.get(), "the file holds exactly 32 raw bytes, this one has another size");
}

Result<SecretValue> KekFile::ReadCredential(const std::string& path) {
  TRY_ASSIGN(const base::UniqueFd fd, OpenCredential(path));
  return ReadRaw(fd.get(), "the credential is 32 raw bytes, this one has another size");
}

Result<SecretValue> KekFile::ReadPin(const std::string& path) {
  constexpr std::size_t kMostPin = 255, kMostFile = kMostPin + 2;
  TRY_ASSIGN(const base::UniqueFd fd, OpenCredential(path));
  TRY_ASSIGN(const off_t size, SizeOf(fd.get()));
  if (size < 1 || size > static_cast<off_t>(kMostFile)) return Fail(Code::kInvalidArgument, "a PIN is 1 to 255 bytes, the file has", size);
  TRY_ASSIGN(SecretValue pin, SecretValue::Allocate(static_cast<std::size_t>(size)));
  const auto bytes = pin.Bytes(SecretAccess());
  if (!ReadExactly(fd.get(), bytes)) return Fail(Code::kUnavailable, "cannot be read: errno", errno);
  std::size_t used = bytes.size();
  if (bytes[used - 1] == '\n') --used;
  if (used > 0 && used < bytes.size() && bytes[used - 1] == '\r') --used;
  ClearRegisters();
  if (used < 1 || used > kMostPin) return Fail(Code::kInvalidArgument, "a PIN is 1 to 255 bytes, the file has", size);
  pin.Shrink(SecretAccess(), used);
  return pin;
}

Result<Kek> KekFile::Create(const std::string& path) {
  TRY_ASSIGN(Kek kek, Kek::Generate());
  TRY(Write(path, kek));
  return kek;
}

Result<void> KekFile::Write(const std::string& path, const Kek& kek) { return WriteSecret(path, kek.View()); }

Result<void> KekFile::WriteSecret(const std::string& path, SecretView secret) {
  if (access(path.c_str(), F_OK) == 0) return Fail(Code::kAlreadyExists, "a file of that name is there already");
  // One left by a crash was never anybody's KEK.
  const std::string temporary = path + ".new";
  TRY(WriteRaw(temporary, secret));
  if (renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
    const int problem = errno;
    unlink(temporary.c_str());
    if (problem == EEXIST) return Fail(Code::kAlreadyExists, "a file of that name is there already");
    return Fail(Code::kUnavailable, "cannot write the KEK file: errno", problem);
  }
  return base::SyncDirectory(Parent(path));
}

Result<void> KekFile::WriteOver(const std::string& path, const Kek& kek) { return WriteRaw(path, kek.View()); }

Result<void> KekFile::WriteRaw(const std::string& path, SecretView secret) {
  unlink(path.c_str());
  base::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return Fail(Code::kUnavailable, "cannot create the KEK file: errno", errno);
  if (fchmod(fd.get(), 0600) == 0 && base::WriteAll(fd.get(), secret.Bytes(SecretAccess())) && fsync(fd.get()) == 0) return {};
  const int problem = errno;
  unlink(path.c_str());
  return Fail(Code::kUnavailable, "cannot write the KEK file: errno", problem);
}

Result<void> KekFile::Erase(const std::string& path) {
  const base::UniqueFd fd(open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) return {};
  const auto size = fd.valid() ? SizeOf(fd.get()) : Result<off_t>(0);
  const Bytes zeros(static_cast<std::size_t>(size.value_or(0)));
  if (!fd.valid() || !base::WriteAll(fd.get(), zeros) || fsync(fd.get()) != 0 || unlink(path.c_str()) != 0) {
    return Fail(Code::kUnavailable, "cannot remove the KEK file: errno", errno);
  }
  return base::SyncDirectory(Parent(path));
}

Result<Bytes> CheckValue(const Kek& kek) {
  return Cipher::DerivePublic(kek.View(), "kcv", 32);
}

}  // namespace strongroom::vault
