#include "tests/keytool/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>

#include "tests/keytool/command.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {
namespace {

// Shell runs the program in a foreground group of its own, as an interactive shell does: the group is then not an
// orphan, and stop signals work. It writes the program's pid, waits for its end, and passes it on.
[[noreturn]] void Shell(std::vector<std::string> command, int pid_pipe) {
  std::signal(SIGTTOU, SIG_IGN);
  const pid_t program = fork();
  if (program == 0) {
    setpgid(0, 0);
    tcsetpgrp(STDIN_FILENO, getpid());
    std::signal(SIGTTOU, SIG_DFL);
    std::vector<char*> argv;
    for (std::string& word : command) argv.push_back(word.data());
    argv.push_back(nullptr);
    execv(argv.front(), argv.data());
    _exit(127);
  }
  if (write(pid_pipe, &program, sizeof program) != sizeof program) _exit(126);
  // The terminal's settings must outlive the program, so the shell stays until it is killed.
  int status = 0;
  while (waitpid(program, &status, 0) != program) {
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  if (write(pid_pipe, &code, sizeof code) != sizeof code) _exit(126);
  for (;;) pause();
}

}  // namespace

Terminal::Terminal(const std::string& program, std::vector<std::string> arguments) {
  std::array<int, 2> pids{}, words{};
  REQUIRE(pipe(pids.data()) == 0);
  REQUIRE(pipe(words.data()) == 0);
  arguments.insert(arguments.begin(), program);
  arguments.push_back(std::to_string(words[1]));
  shell_ = forkpty(&master_, nullptr, nullptr, nullptr);
  REQUIRE(shell_ >= 0);
  if (shell_ == 0) Shell(arguments, pids[1]);
  close(pids[1]);
  close(words[1]);
  said_ = words[0];
  REQUIRE(read(pids[0], &program_, sizeof program_) == sizeof program_);
  fcntl(master_, F_SETFL, O_NONBLOCK);
  pid_pipe_ = pids[0];
}

Terminal::~Terminal() {
  if (!ended_) kill(program_, SIGKILL);
  kill(shell_, SIGKILL);
  waitpid(shell_, nullptr, 0);
  for (const int fd : {master_, said_, pid_pipe_}) close(fd);
}

void Terminal::Type(const std::string& text) {
  REQUIRE(write(master_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

std::string Terminal::Shown() {
  std::array<char, 4096> piece{};
  for (;;) {
    const ssize_t count = read(master_, piece.data(), piece.size());
    if (count <= 0) return shown_;
    shown_.append(piece.data(), static_cast<std::size_t>(count));
  }
}

bool Terminal::Shows(const std::string& part, int times) {
  return Until([&] {
    Shown();
    int found = 0;
    for (std::size_t at = shown_.find(part); at != std::string::npos; at = shown_.find(part, at + 1)) ++found;
    return found >= times;
  });
}

bool Terminal::Echoes() const {
  termios settings{};
  REQUIRE(tcgetattr(master_, &settings) == 0);
  return (settings.c_lflag & ECHO) != 0;
}

bool Terminal::WaitsForEcho(bool on) const {
  return Until([&] { return Echoes() == on; });
}

void Terminal::Signal(int number) const { REQUIRE(kill(program_, number) == 0); }

bool Terminal::IsStopped() const {
  std::ifstream file("/proc/" + std::to_string(program_) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t name_end = text.rfind(") ");
  return name_end != std::string::npos && text[name_end + 2] == 'T';
}

int Terminal::Ended() {
  int code = 0;
  pollfd entry{pid_pipe_, POLLIN, 0};
  REQUIRE(Until([&] {
    Shown();  // a program that waits for its output to drain must not wait for us
    return poll(&entry, 1, 0) == 1;
  }));
  REQUIRE(read(pid_pipe_, &code, sizeof code) == sizeof code);
  ended_ = true;
  return code;
}

std::string Terminal::Said() {
  std::string text;
  std::array<char, 256> piece{};
  pollfd entry{said_, POLLIN, 0};
  while (poll(&entry, 1, 0) == 1) {
    const ssize_t count = read(said_, piece.data(), piece.size());
    if (count <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
  return text;
}

}  // namespace strongroom::keytool
