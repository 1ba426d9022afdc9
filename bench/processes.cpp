#include "bench/processes.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace strongroom::bench {
namespace {

[[noreturn]] void Exec(const std::vector<std::string>& arguments, const std::string& log) {
  const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(fd, 1);
  dup2(fd, 2);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, 0);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

Child::Child(const std::vector<std::string>& arguments, const std::string& log) : pid_(fork()) {
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Exec(arguments, log);
}

Child::~Child() { Stop(); }

void Child::Stop() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::int64_t Child::CpuMicros() const {
  // schedstat's first number is nanoseconds on a CPU, of the main thread; the tasks' sum is the process's.
  std::int64_t nanos = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task")) {
    std::ifstream file(task.path() / "schedstat");
    std::int64_t one = 0;
    file >> one;
    nanos += one;
  }
  return nanos / 1000;
}

std::int64_t Child::ResidentBytes() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
  std::int64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

TemporaryHome::TemporaryHome() {
  std::string name = (std::filesystem::temp_directory_path() / "strongroom-bench-").string() + std::to_string(getpid());
  std::filesystem::create_directory(name);
  root_ = name;
}
TemporaryHome::~TemporaryHome() {
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
}

std::string Program(const std::string& name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

void RunOrExit(const std::vector<std::string>& arguments) {
  const std::string log = (std::filesystem::temp_directory_path() / ("strongroom-bench-" + std::to_string(getpid()) + ".out")).string();
  const pid_t pid = fork();
  if (pid == 0) Exec(arguments, log);
  int status = 0;
  waitpid(pid, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    std::fprintf(stderr, "%s failed:\n%s", arguments[0].c_str(), ReadAll(log).c_str());
    std::exit(1);
  }
  unlink(log.c_str());
}

std::string WaitForLine(const std::string& path, const std::string& text) {
  for (int i = 0; i < 2000; ++i) {
    const std::string all = ReadAll(path);
    if (const std::size_t at = all.find(text); at != std::string::npos) {
      const std::size_t begin = at + text.size();
      return all.substr(begin, all.find('\n', begin) - begin);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::fprintf(stderr, "no \"%s\" in %s:\n%s", text.c_str(), path.c_str(), ReadAll(path).c_str());
  std::exit(1);
}

std::string WriteKey(const TemporaryHome& home) {
  const std::string path = home.root() + "/key";
  std::ofstream(path) << "sk-ant-bench-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
  chmod(path.c_str(), 0600);
  return path;
}

void Onboard(const TemporaryHome& home, const std::string& endpoint, const std::string& customer) {
  RunOrExit({Program("keytool"), "onboard", customer, "--home", home.vault(), "--provider", "anthropic", "--model",
             "claude-sonnet-4-5", "--endpoint", endpoint, "--key-file", WriteKey(home), "--no-verify", "--reason",
             "benchmark"});
}

double Median(std::vector<double> values) { return Percentile(std::move(values), 0.5); }

double Percentile(std::vector<double> values, double fraction) {
  if (values.empty()) return 0.0;
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(fraction * static_cast<double>(values.size() - 1));
  return values[at];
}

}  // namespace strongroom::bench
