#include "tests/keytool/command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/clock.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {
namespace {

std::string Slurp(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

pid_t Start(const std::string& program, const std::vector<std::string>& arguments, const std::array<std::string, 3>& files) {
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, files[0].c_str(), O_RDONLY, 0);
  for (int fd = 1; fd <= 2; ++fd) {
    posix_spawn_file_actions_addopen(&actions, fd, files[static_cast<std::size_t>(fd)].c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
  }
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  REQUIRE(error == 0);
  return pid;
}

std::filesystem::path NewDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "keytool-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  return name;
}

}  // namespace

Ran RunKeytool(const std::vector<std::string>& arguments, const std::string& input) {
  const std::filesystem::path directory = NewDirectory();
  std::ofstream(directory / "in", std::ios::binary) << input;
  const pid_t pid = Start(STRONGROOM_KEYTOOL, arguments, {directory / "in", directory / "out", directory / "err"});
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  Ran ran;
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  ran.out = Slurp(directory / "out");
  ran.err = Slurp(directory / "err");
  std::filesystem::remove_all(directory);
  return ran;
}

bool Has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

bool Until(const std::function<bool()>& condition) {
  const base::Micros deadline = base::MonoMicros() + 20 * base::kMicrosPerSecond;
  while (!condition()) {
    if (base::MonoMicros() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

Home::Home() : directory_(NewDirectory()) {}
Home::~Home() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string Home::File(const std::string& name, const std::string& content, mode_t mode) const {
  const std::string path = directory_ / name;
  std::ofstream(path, std::ios::binary) << content;
  REQUIRE(chmod(path.c_str(), mode) == 0);
  return path;
}

Vaultd::Vaultd(const Home& home) {
  const std::string log = home.path() + "/../vaultd.log";
  pid_ = Start(STRONGROOM_VAULTD, {"--home", home.path()}, {"/dev/null", log, log});
  const bool answers =
      Until([&] { return RunKeytool({"status", "--home", home.path()}).status == 0; });
  INFO(Slurp(log));
  REQUIRE(answers);
}

void Vaultd::Stop() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  int status = 0;
  if (!Until([&] { return waitpid(pid_, &status, WNOHANG) == pid_; })) {
    kill(pid_, SIGKILL);
    waitpid(pid_, &status, 0);
  }
  pid_ = -1;
}

}  // namespace strongroom::keytool
