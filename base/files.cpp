#include "base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace strongroom::base {
namespace {

std::string Parent(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::string> ReadAll(int fd, std::size_t most) {
  std::string content;
  char chunk[16384];
  while (true) {
    const ssize_t got = read(fd, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(Code::kUnavailable, "cannot read the file: errno", errno);
    if (got == 0) return content;
    content.append(chunk, static_cast<std::size_t>(got));
    if (content.size() > most) return Fail(Code::kResourceExhausted, "the file is too large");
  }
}

// Write passes what is left to write(2) or its like until all is written.
template <typename One>
Result<void> Write(ByteView content, const One& one) {
  while (!content.empty()) {
    const ssize_t wrote = one(content);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return Fail(Code::kUnavailable, "cannot be written: errno", errno);
    content = content.subspan(static_cast<std::size_t>(wrote));
  }
  return {};
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = other.Release();
  }
  return *this;
}
int UniqueFd::Release() { return std::exchange(fd_, -1); }
void UniqueFd::Reset() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

Result<UniqueFd> OpenPrivate(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) {
    if (errno == ENOENT) return Fail(Code::kNotFound, "no such file");
    if (errno == ELOOP) return Fail(Code::kPermissionDenied, "is a symbolic link; name the file itself");
    return Fail(Code::kPermissionDenied, "cannot be opened: errno", errno);
  }
  struct stat facts{};
  if (fstat(fd.get(), &facts) != 0) return Fail(Code::kUnavailable, "cannot be examined: errno", errno);
  if (!S_ISREG(facts.st_mode)) return Fail(Code::kPermissionDenied, "is not a regular file");
  if (facts.st_uid != geteuid() && facts.st_uid != 0) {
    return Fail(Code::kPermissionDenied, "belongs to another user; chown it to the user vaultd runs as");
  }
  if ((facts.st_mode & 0077) != 0) {
    return Fail(Code::kPermissionDenied, "can be read by others; chmod it to 600, and if they could have read it, rotate");
  }
  return fd;
}

Result<std::string> ReadFile(const std::string& path, std::size_t most) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return Fail(errno == ENOENT ? Code::kNotFound : Code::kUnavailable, "cannot open the file: errno", errno);
  struct stat facts {};
  if (fstat(fd.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return Fail(Code::kInvalidArgument, "it is no plain file");
  return ReadAll(fd.get(), most);
}

Result<std::string> ReadPrivate(const std::string& path, std::size_t most) {
  TRY_ASSIGN(const UniqueFd fd, OpenPrivate(path));
  return ReadAll(fd.get(), most);
}

Result<void> WriteAll(int fd, ByteView content) {
  return Write(content, [fd](ByteView left) { return write(fd, left.data(), left.size()); });
}

Result<void> WriteAt(int fd, ByteView content, off_t offset) {
  return Write(content, [fd, end = offset + static_cast<off_t>(content.size())](ByteView left) {
    return pwrite(fd, left.data(), left.size(), end - static_cast<off_t>(left.size()));
  });
}

Result<void> WriteFileAtomic(const std::string& path, std::string_view content, mode_t mode, Replace replace) {
  const std::string temporary = path + ".new";
  unlink(temporary.c_str());
  const UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return Fail(Code::kUnavailable, "cannot create the file: errno", errno);
  Result<void> written = WriteAll(fd.get(), AsBytes(content));
  if (written && fchmod(fd.get(), mode) != 0) {
    written = Fail(Code::kUnavailable, "cannot set the file's mode: errno", errno);
  }
  if (written) written = PutInPlace(temporary, path, replace);
  if (!written) unlink(temporary.c_str());
  return written;
}

Result<void> PutInPlace(const std::string& temporary, const std::string& path, Replace replace) {
  const UniqueFd fd(open(temporary.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid() || fsync(fd.get()) != 0) {
    return Fail(Code::kUnavailable, "cannot make the file durable: errno", errno);
  }
  int moved = renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), replace == Replace::kNo ? RENAME_NOREPLACE : 0);
  // Not every file system can; a link is not made over a file either.
  if (moved != 0 && errno == EINVAL && replace == Replace::kNo) {
    moved = link(temporary.c_str(), path.c_str());
    if (moved == 0) unlink(temporary.c_str());
  }
  if (moved != 0) {
    if (errno == EEXIST) return Fail(Code::kAlreadyExists, "there is a file of that name already");
    return Fail(Code::kUnavailable, "cannot put the file in place: errno", errno);
  }
  return SyncDirectory(Parent(path));
}

Result<void> CreateDirectory(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), 0700) != 0) {
    if (errno == EEXIST) return Fail(Code::kAlreadyExists, "the directory is there already");
    return Fail(Code::kUnavailable, "cannot create the directory: errno", errno);
  }
  if (chmod(path.c_str(), mode) != 0) return Fail(Code::kUnavailable, "cannot set the directory's mode: errno", errno);
  return SyncDirectory(Parent(path));
}

Result<void> SyncDirectory(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || fsync(fd.get()) != 0) return Fail(Code::kUnavailable, "cannot sync the directory: errno", errno);
  return {};
}

Result<UniqueFd> LockFile(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return Fail(Code::kUnavailable, "cannot open the lock file: errno", errno);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) return Fail(Code::kAlreadyExists, "another process holds the lock");
  return Fail(Code::kUnavailable, "cannot lock: errno", errno);
}

}  // namespace strongroom::base
