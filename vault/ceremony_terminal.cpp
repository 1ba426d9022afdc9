#include "vault/ceremony_terminal.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "base/files.h"

namespace strongroom::vault {
namespace {

// xterm's second screen, and the cursor to its first place; the other way round, wiped first.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[2J\x1b[H", kClear = "\x1b[2J\x1b[H", kLeave = "\x1b[2J\x1b[H\x1b[?1049l";
constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

volatile std::sig_atomic_t open_tty = -1;
std::array<struct sigaction, kSignals.size()> before{};  // what each signal did: the ceremony may have more to clear away

void PutBack(std::size_t at) { sigaction(kSignals[at], &before[at], nullptr); }

void LeaveAndDie(int number) {
  if (open_tty >= 0) {
    const ssize_t ignored = write(open_tty, kLeave.data(), kLeave.size());
    static_cast<void>(ignored);
  }
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    if (kSignals[i] == number) PutBack(i);
  }
  raise(number);
}

}  // namespace

Result<std::unique_ptr<CeremonyTerminal>> CeremonyTerminal::Open() {
  base::UniqueFd tty(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!tty.valid()) return Fail(Code::kUnavailable, "there is no terminal to show shares on or to read them from: errno", errno);
  std::unique_ptr<CeremonyTerminal> terminal(new CeremonyTerminal(std::move(tty)));
  TRY(terminal->Say(kEnter));
  open_tty = terminal->tty_.get();
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction leave {};
    leave.sa_handler = LeaveAndDie;
    sigfillset(&leave.sa_mask);
    sigaction(kSignals[i], &leave, &before[i]);
  }
  return terminal;
}

CeremonyTerminal::~CeremonyTerminal() {
  static_cast<void>(Say(kLeave));
  open_tty = -1;
  for (std::size_t i = 0; i < kSignals.size(); ++i) PutBack(i);
}

Result<void> CeremonyTerminal::Say(std::string_view text) const { return base::WriteAll(tty_.get(), base::AsBytes(text)); }

Result<void> CeremonyTerminal::Show(const Share& share) {
  TRY(Say(kClear));
  TRY(Shares::WriteTo(tty_.get(), share));
  TRY(Say("\nFor the eyes of this custodian alone. Copy it, compare it line by line, then press Enter: it is not shown again. "));
  TRY(Shares::ReadLine(tty_.get()));
  return Say(kClear);
}

Result<Share> CeremonyTerminal::Read(const std::string& question, const Judge& judge) {
  std::string problem;
  while (true) {
    TRY(Say(std::string(kClear) + (problem.empty() ? "" : problem + "\n\n") + question +
            "\nType the path of its file, or its 5 lines (5 groups of 4 characters each).\n\n"));
    TRY_ASSIGN(Answer answer, ReadOnce());
    problem = answer ? judge(*answer) : answer.error().text;
    if (!problem.empty()) continue;
    TRY(Say(kClear));
    return std::move(*answer);
  }
}

Result<CeremonyTerminal::Answer> CeremonyTerminal::ReadOnce() {
  TRY(Say("line 1: "));
  TRY_ASSIGN(SecretValue line, Shares::ReadLine(tty_.get()));
  if (!Shares::IsPath(line.View())) return ReadLines(std::move(line));
  const std::string path = Shares::PathOf(line.View());
  auto share = Shares::ReadFile(path);
  if (!share) share = std::unexpected(ShareProblem{path + ": " + share.error().text});
  return Result<Answer>(std::in_place, std::move(share));
}

Result<CeremonyTerminal::Answer> CeremonyTerminal::ReadLines(SecretValue line) {
  TRY_ASSIGN(Shares::Typed typed, Shares::Typed::Start());
  while (true) {
    if (const auto taken = typed.Take(line.View()); !taken) TRY(Say(taken.error().text + "; type it again\n"));
    line.Wipe();
    if (typed.whole()) return Result<Answer>(std::in_place, std::move(typed).Finish());
    TRY(Say("line " + std::to_string(typed.next()) + ": "));
    TRY_ASSIGN(line, Shares::ReadLine(tty_.get()));
  }
}

}  // namespace strongroom::vault
