#include "sql/sqlite_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"

namespace strongroom::sql {

Result<void> CreateFile(const std::string& path, unsigned mode) {
  const base::UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!file.valid() && errno == EEXIST) return {};
  if (!file.valid()) {
    const Code code = errno == EACCES || errno == EPERM ? Code::kPermissionDenied : Code::kUnavailable;
    return Fail(errno == ENOENT ? Code::kNotFound : code, "the database file cannot be created", errno);
  }
  if (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0) {
    return Fail(Code::kUnavailable, "the database file's mode cannot be set", errno);
  }
  const std::size_t slash = path.rfind('/');
  return base::SyncDirectory(slash == 0 ? "/" : path.substr(0, slash));
}

Result<void> CheckFile(const std::string& path) {
  struct stat file{};
  if (::stat(path.c_str(), &file) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return Fail(Code::kNotFound, "there is no such database file");
    const Code code = errno == EACCES ? Code::kPermissionDenied : Code::kUnavailable;
    return Fail(code, "the database file cannot be reached", errno);
  }
  if (!S_ISREG(file.st_mode)) return Fail(Code::kCorrupt, "the database path names no regular file");
  return {};
}

namespace {

// SizeOf is -1 where there is no such file.
off_t SizeOf(const std::string& path) {
  struct stat file {};
  return stat(path.c_str(), &file) == 0 ? file.st_size : -1;
}

bool CannotPutBeside(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  return access(directory.c_str(), W_OK) != 0 && (errno == EROFS || errno == EACCES);
}

}  // namespace

bool IsFrozen(const std::string& path) {
  const off_t log = SizeOf(path + "-wal");
  const bool live = log >= 0 && SizeOf(path + "-shm") >= 0;
  return log <= 0 && !live && CannotPutBeside(path);
}

bool HasStrandedLog(const std::string& path) {
  return SizeOf(path + "-wal") > 0 && SizeOf(path + "-shm") < 0 && CannotPutBeside(path);
}

std::string FrozenUri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    switch (c) {
      case '?': uri += "%3f"; break;
      case '#': uri += "%23"; break;
      case '%': uri += "%25"; break;
      default: uri += c;
    }
  }
  return uri + "?immutable=1";
}

}  // namespace strongroom::sql
