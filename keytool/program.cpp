#include "keytool/program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <optional>

#include "base/files.h"

namespace strongroom::keytool {
namespace {

constexpr std::size_t kMostOutput = 64 << 10;

std::unexpected<Problem> CannotRun(const std::string& path, int error) {
  return Failed("NO_PROGRAM", "cannot run " + path + ": " + std::strerror(error));
}

// glibc 2.36 declares pidfd_open without C linkage.
int OpenPid(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

// Child is a started program; its destructor leaves neither a process nor a zombie.
class Child {
 public:
  Child(pid_t pid, base::UniqueFd output) : pid_(pid), handle_(OpenPid(pid)), output_(std::move(output)) {}
  ~Child() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    Reap();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Gather reads until the end of the output, then waits for the process; false at the deadline.
  bool Gather(base::Micros deadline, std::string& output);
  int Reap();

 private:
  bool Wait(int fd, base::Micros deadline) const;

  pid_t pid_;
  base::UniqueFd handle_, output_;
};

bool Child::Wait(int fd, base::Micros deadline) const {
  for (;;) {
    const base::Micros left = deadline - base::MonoMicros();
    if (left <= 0) return false;
    pollfd entry{fd, POLLIN, 0};
    const int ready = poll(&entry, 1, static_cast<int>(left / base::kMicrosPerMilli + 1));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

bool Child::Gather(base::Micros deadline, std::string& output) {
  std::array<char, 4096> piece{};
  for (;;) {
    if (!Wait(output_.get(), deadline)) return false;
    const ssize_t count = read(output_.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    const std::size_t room = kMostOutput - output.size();
    output.append(piece.data(), std::min(room, static_cast<std::size_t>(count)));
  }
  return Wait(handle_.get(), deadline);
}

int Child::Reap() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Spawn starts the program with its standard output on `output`. SIGPIPE, which we ignore, is its own again.
int Spawn(const std::string& path, const std::vector<std::string>& arguments, int output, pid_t& pid) {
  std::vector<char*> argv{const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  const int error = posix_spawn(&pid, path.c_str(), &files, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

}  // namespace

Outcome<std::string> FindProgram(const std::string& name) {
  std::array<char, PATH_MAX> self{};
  const ssize_t length = readlink("/proc/self/exe", self.data(), self.size());
  if (length <= 0) return Failed("NO_PROGRAM", "cannot tell where keytool's own executable is");
  const std::string own(self.data(), static_cast<std::size_t>(length));
  std::string path = own.substr(0, own.rfind('/') + 1) + name;
  if (access(path.c_str(), X_OK) != 0) return CannotRun(path, errno);
  return path;
}

Outcome<Finished> RunProgram(const std::string& path, const std::vector<std::string>& arguments,
                             base::Micros patience) {
  std::array<int, 2> pipe_ends{-1, -1};
  if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) return CannotRun(path, errno);
  base::UniqueFd ours(pipe_ends[0]), theirs(pipe_ends[1]);
  pid_t pid = 0;
  if (const int error = Spawn(path, arguments, theirs.get(), pid); error != 0) return CannotRun(path, error);
  theirs.Reset();
  Child child(pid, std::move(ours));
  Finished finished;
  if (!child.Gather(base::MonoMicros() + patience, finished.output)) {
    return Failed("DEADLINE_EXCEEDED", path + " did not end within " +
                                           std::to_string(patience / base::kMicrosPerSecond) + " s and was stopped");
  }
  finished.exit_code = child.Reap();
  return finished;
}

}  // namespace strongroom::keytool
