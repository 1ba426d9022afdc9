#include "base/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace strongroom::base {
namespace {

constexpr Micros kRedrawEvery = 100 * kMicrosPerMilli;

std::size_t TerminalWidth() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

std::string Eta(std::int64_t left, double rate) {
  if (left == 0) return "0:00";
  if (rate <= 0.0) return "-:--";
  const auto seconds = static_cast<std::int64_t>(static_cast<double>(left) / rate + 0.5);
  std::array<char, 32> text{};
  if (seconds >= 3600) {
    std::snprintf(text.data(), text.size(), "%lld:%02lld:%02lld", static_cast<long long>(seconds / 3600),
                  static_cast<long long>(seconds / 60 % 60), static_cast<long long>(seconds % 60));
  } else {
    std::snprintf(text.data(), text.size(), "%lld:%02lld", static_cast<long long>(seconds / 60),
                  static_cast<long long>(seconds % 60));
  }
  return text.data();
}

}  // namespace

std::string ProgressLine(std::int64_t done, std::int64_t failed, std::int64_t total, double rate, std::size_t width) {
  const std::int64_t percent = total == 0 ? 100 : done * 100 / total;
  std::array<char, 128> text{};
  std::snprintf(text.data(), text.size(), " %lld/%lld %3lld%%  %.1f/s  failed %lld  ETA %s",
                static_cast<long long>(done), static_cast<long long>(total), static_cast<long long>(percent), rate,
                static_cast<long long>(failed), Eta(total - done, rate).c_str());
  std::string facts = text.data();
  if (width < facts.size() + 12) return facts.substr(0, width);
  const std::size_t bar = std::min<std::size_t>(width - facts.size() - 3, 40);
  const auto full = static_cast<std::size_t>(total == 0 ? static_cast<std::int64_t>(bar)
                                                        : done * static_cast<std::int64_t>(bar) / total);
  return "[" + std::string(full, '#') + std::string(bar - full, '.') + "]" + facts;
}

Progress::Progress(std::int64_t total, std::int64_t already_done)
    : terminal_(isatty(STDERR_FILENO) != 0), total_(total), first_done_(already_done), started_(MonoMicros()) {}

Progress::~Progress() {
  if (drawn_) std::fputc('\n', stderr);
}

void Progress::Show(std::int64_t done, std::int64_t failed) {
  const Micros now = MonoMicros();
  const double seconds = static_cast<double>(now - started_) / 1e6;
  const double rate = seconds > 0.0 ? static_cast<double>(done - first_done_) / seconds : 0.0;
  if (terminal_) {
    if (done < total_ && now - shown_ < kRedrawEvery) return;
    shown_ = now;
    drawn_ = true;
    std::fprintf(stderr, "\r%s\x1b[K", ProgressLine(done, failed, total_, rate, TerminalWidth() - 1).c_str());
    std::fflush(stderr);
    return;
  }
  const std::int64_t tenth = total_ == 0 ? 10 : done * 10 / total_;
  if (tenth == last_tenth_) return;
  last_tenth_ = tenth;
  std::fprintf(stderr, "%s\n", ProgressLine(done, failed, total_, rate, 100).c_str());
}

}  // namespace strongroom::base
