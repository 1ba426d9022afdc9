// Preloaded into a program: ends it, as kill -9 would, at the KILL_AT-th call that changes a file on disk, before that
// call is made. Writes to sockets, pipes and terminals do not count, nor, where KILL_FROM names a file, any before that is there.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

namespace {

const long kill_at = [] {
  const char* const text = std::getenv("KILL_AT");
  return text == nullptr ? 0L : std::atol(text);
}();
const char* const kill_from = std::getenv("KILL_FROM");
std::atomic<long> calls{0};

void Count() {
  if (kill_from != nullptr && access(kill_from, F_OK) != 0) return;
  if (++calls == kill_at) kill(getpid(), SIGKILL);
}

bool IsOnDisk(int fd) {
  struct stat facts {};
  return fstat(fd, &facts) == 0 && (S_ISREG(facts.st_mode) || S_ISDIR(facts.st_mode));
}

template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* bytes, size_t size) {
  static auto* const real = Real<ssize_t(int, const void*, size_t)>("write");
  if (IsOnDisk(fd)) Count();
  return real(fd, bytes, size);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  static auto* const real = Real<ssize_t(int, const void*, size_t, off64_t)>("pwrite64");
  Count();
  return real(fd, bytes, size, at);
}

int fsync(int fd) {
  static auto* const real = Real<int(int)>("fsync");
  Count();
  return real(fd);
}

int fdatasync(int fd) {
  static auto* const real = Real<int(int)>("fdatasync");
  Count();
  return real(fd);
}

int ftruncate64(int fd, off64_t size) noexcept {
  static auto* const real = Real<int(int, off64_t)>("ftruncate64");
  Count();
  return real(fd, size);
}

int unlink(const char* path) noexcept {
  static auto* const real = Real<int(const char*)>("unlink");
  Count();
  return real(path);
}

int rename(const char* old_path, const char* new_path) noexcept {
  static auto* const real = Real<int(const char*, const char*)>("rename");
  Count();
  return real(old_path, new_path);
}

int renameat2(int from, const char* old_path, int to, const char* new_path, unsigned int flags) noexcept {
  static auto* const real = Real<int(int, const char*, int, const char*, unsigned int)>("renameat2");
  Count();
  return real(from, old_path, to, new_path, flags);
}

}  // extern "C"
