#include "keytool/quiet_terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace strongroom::keytool {
namespace {

constexpr int kMomentMs = 200;  // no person types as fast; a paste comes in one piece, or nearly
constexpr int kMostMoments = 50;

constexpr std::array<int, 6> kSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT};

std::array<volatile std::sig_atomic_t, 65> caught{};
extern "C" void NoteSignal(int number) { caught.at(static_cast<std::size_t>(number)) = 1; }

bool TakeCaught(int number) {
  auto& flag = caught.at(static_cast<std::size_t>(number));
  const bool was_set = flag != 0;
  flag = 0;
  return was_set;
}

// TCSAFLUSH also drops what was typed and not read yet: it must neither show nor reach the shell.
bool SetTerminal(int fd, const termios& settings) {
  int set = 0;
  do {
    set = tcsetattr(fd, TCSAFLUSH, &settings);
  } while (set != 0 && errno == EINTR);
  return set == 0;
}

void Write(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace

struct QuietTerminal::Saved {
  termios settings{};
  sigset_t mask{};
  std::array<struct sigaction, kSignals.size()> actions{};
};

QuietTerminal::QuietTerminal(base::UniqueFd tty, std::string question)
    : tty_(std::move(tty)), question_(std::move(question)), saved_(std::make_unique<Saved>()) {}

Result<std::unique_ptr<QuietTerminal>> QuietTerminal::Open(std::string question) {
  base::UniqueFd tty(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!tty.valid()) return Fail(Code::kUnavailable, "no terminal to ask on; errno", errno);
  std::unique_ptr<QuietTerminal> terminal(new QuietTerminal(std::move(tty), std::move(question)));
  if (tcgetattr(terminal->fd(), &terminal->saved_->settings) != 0) {
    return Fail(Code::kUnavailable, "the terminal does not tell its settings; errno", errno);
  }
  TRY(terminal->Engage());
  return terminal;
}

QuietTerminal::~QuietTerminal() { Release(); }

// The signals are blocked but for the moment of the wait itself, so that none can slip in between a look at the flags
// and a read that then sleeps with the echo off.
Result<void> QuietTerminal::Engage() {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int number : kSignals) sigaddset(&ours, number);
  sigprocmask(SIG_BLOCK, &ours, &saved_->mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &saved_->actions[i]);
    // A signal that whoever started us had ignored (nohup) stays ignored.
    if (saved_->actions[i].sa_handler == SIG_IGN && kSignals[i] != SIGCONT) continue;
    struct sigaction note {};
    note.sa_handler = NoteSignal;
    sigfillset(&note.sa_mask);
    sigaction(kSignals[i], &note, nullptr);
  }
  engaged_ = true;
  return Hush();
}

void QuietTerminal::Release() {
  if (!std::exchange(engaged_, false)) return;
  Write(fd(), "\n");
  SetTerminal(fd(), saved_->settings);
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &saved_->actions[i], nullptr);
  sigprocmask(SIG_SETMASK, &saved_->mask, nullptr);
}

Result<void> QuietTerminal::Hush() {
  termios quiet = saved_->settings;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHOE | ECHOK | ECHONL);
  quiet.c_lflag |= ICANON | ISIG;
  if (!SetTerminal(fd(), quiet)) {
    return Fail(Code::kUnavailable, "the terminal's echo cannot be turned off; errno", errno);
  }
  Write(fd(), question_);
  return {};
}

// TakeSignals is true where the question was asked again. A signal that ends the process does not return from here.
Result<bool> QuietTerminal::TakeSignals() {
  bool again = false;
  for (const int number : kSignals) {
    if (!TakeCaught(number)) continue;
    again = true;
    if (number == SIGCONT) {
      // Stopped by SIGSTOP, and the shell may have set the terminal to its own liking since.
      TRY(Hush());
      continue;
    }
    Release();
    kill(getpid(), number);
    TRY(Engage());
  }
  return again;
}

Result<QuietTerminal::Event> QuietTerminal::Wait() {
  sigset_t open = saved_->mask;
  for (const int number : kSignals) sigdelset(&open, number);
  for (;;) {
    pollfd entry{fd(), POLLIN, 0};
    const int ready = ppoll(&entry, 1, nullptr, &open);
    const int why = errno;
    TRY_ASSIGN(const bool again, TakeSignals());
    if (again) return Event::kStartOver;
    if (ready > 0) return Event::kInput;
    if (ready < 0 && why != EINTR) return Fail(Code::kUnavailable, "cannot wait for the terminal; errno", why);
  }
}

// A line that has no end yet can be seen only by who does not wait for lines. Signals stay blocked: whatever comes, comes after Release.
bool QuietTerminal::MoreFollows() {
  termios at_once{};
  if (tcgetattr(fd(), &at_once) != 0) return false;
  at_once.c_lflag &= ~static_cast<tcflag_t>(ICANON);
  at_once.c_cc[VMIN] = 1;
  at_once.c_cc[VTIME] = 0;
  if (tcsetattr(fd(), TCSANOW, &at_once) != 0) return false;
  bool more = false;
  for (int moment = 0; moment < kMostMoments; ++moment) {
    pollfd entry{fd(), POLLIN, 0};
    if (poll(&entry, 1, kMomentMs) <= 0 || (entry.revents & POLLHUP) != 0) break;
    more = true;
    tcflush(fd(), TCIFLUSH);
  }
  return more;
}

}  // namespace strongroom::keytool
