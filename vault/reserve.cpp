#include "vault/reserve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

#include "base/files.h"
#include "base/log.h"

namespace strongroom::vault {
namespace {

std::int64_t FreeBytes(int fd) {
  struct statvfs disk {};
  if (fstatvfs(fd, &disk) != 0) return 0;
  return static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
}

}  // namespace

void Reserve::Take() {
  if (held()) return;
  const std::lock_guard lock(mutex_);
  const base::UniqueFd fd(open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat file {};
  const bool whole = fd.valid() && fstat(fd.get(), &file) == 0 && file.st_size == kBytes;
  // Not the last of it, or it would be given up again at once. Where it could not be made before, what is there of it is room too.
  const bool room = whole || (fd.valid() && FreeBytes(fd.get()) >= 2 * kBytes);
  const int failed = room ? posix_fallocate(fd.get(), 0, kBytes) : ENOSPC;
  if (failed == 0) {
    held_ = true;
    if (told_.exchange(false)) base::Log(base::Level::kInfo, "reserve_taken", {{"path", path_}});
    return;
  }
  if (fd.valid()) static_cast<void>(ftruncate(fd.get(), 0) == 0);
  if (!told_.exchange(true)) {
    base::Log(base::Level::kError, "reserve_not_taken",
              {{"path", path_}, {"errno", failed}, {"why", "the vault database's disk is full: no key is released until it has room"}});
  }
}

void Reserve::Give() {
  if (path_.empty()) return;
  const std::lock_guard lock(mutex_);
  if (!held_.exchange(false)) return;
  told_ = true;
  base::Log(base::Level::kError, "reserve_given_up", {{"path", path_}, {"why", "the vault database's disk is full: no key is released until it has room"}});
  static_cast<void>(truncate(path_.c_str(), 0) == 0);
}

}  // namespace strongroom::vault
