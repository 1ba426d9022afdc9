#include "tests/e2e/stranger.h"

#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "tests/e2e/process.h"

namespace strongroom::e2e {
namespace {

// Serve runs in the child and makes system calls only.
[[noreturn]] void Serve(const sockaddr_un& address, uid_t uid, std::int64_t* heard) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (setgroups(0, nullptr) != 0 || setgid(uid) != 0 || setuid(uid) != 0) _exit(1);
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) _exit(1);
  chmod(address.sun_path, 0777);
  if (listen(listener, 16) != 0) _exit(1);
  while (true) {
    const int fd = accept(listener, nullptr, nullptr);
    char buffer[4096];
    for (ssize_t got = read(fd, buffer, sizeof buffer); got > 0; got = read(fd, buffer, sizeof buffer)) {
      __atomic_fetch_add(heard, got, __ATOMIC_SEQ_CST);
    }
    close(fd);
  }
}

}  // namespace

Stranger::Stranger(const std::string& path, uid_t uid) {
  void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  heard_ = static_cast<std::int64_t*>(page);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  pid_ = fork();
  if (pid_ == 0) Serve(address, uid, heard_);
  struct stat facts{};
  REQUIRE(Eventually([&] { return stat(path.c_str(), &facts) == 0 && (facts.st_mode & 0777) == 0777; }));
}

Stranger::~Stranger() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  munmap(heard_, 4096);
}

std::int64_t Stranger::BytesHeard() const {
  return __atomic_load_n(heard_, __ATOMIC_SEQ_CST);
}

}  // namespace strongroom::e2e
