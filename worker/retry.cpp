#include "worker/retry.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <string_view>

namespace strongroom::worker {
namespace {

constexpr base::Micros kMostWait = 30 * base::kMicrosPerDay;

std::string_view Trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Decimal reads digits with an optional fraction, in units of `unit` microseconds; nullopt for anything else, a sign
// and "inf" included.
std::optional<base::Micros> Decimal(std::string_view text, base::Micros unit) {
  const std::size_t dot = text.find('.');
  const auto digits = [](std::string_view part) {
    return std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  if (text.empty() || dot == 0 || !digits(text.substr(0, dot))) return std::nullopt;
  if (dot != std::string_view::npos && !digits(text.substr(dot + 1))) return std::nullopt;
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  const double most = static_cast<double>(kMostWait);
  if (parsed.ec == std::errc::result_out_of_range) return text.front() == '0' ? 0 : kMostWait;
  if (parsed.ec != std::errc()) return std::nullopt;
  return static_cast<base::Micros>(std::min(value * static_cast<double>(unit), most));
}

int TwoDigits(std::string_view text, std::size_t at) {
  const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : 1000; };
  return digit(at) * 10 + digit(at + 1);
}

// HttpDate reads an IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 §5.6.7), as wall time.
std::optional<base::Micros> HttpDate(std::string_view text) {
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT" || text[7] != ' ' ||
      text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':') {
    return std::nullopt;
  }
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  const int year = TwoDigits(text, 12) * 100 + TwoDigits(text, 14);
  const int hour = TwoDigits(text, 17), minute = TwoDigits(text, 20), second = TwoDigits(text, 23);
  if (month == kMonths.end() || year > 9999 || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::chrono::year_month_day day(std::chrono::year(year),
                                        std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
                                        std::chrono::day(static_cast<unsigned>(TwoDigits(text, 5))));
  if (!day.ok()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
  return days * base::kMicrosPerDay + (hour * 3600 + minute * 60 + second) * base::kMicrosPerSecond;
}

}  // namespace

std::optional<base::Micros> RetryAfter(const HttpAnswer& answer, base::Micros wall_now) {
  if (answer.retry_after_ms) {
    if (const auto wait = Decimal(Trimmed(*answer.retry_after_ms), base::kMicrosPerMilli)) return wait;
  }
  if (!answer.retry_after) return std::nullopt;
  const std::string_view text = Trimmed(*answer.retry_after);
  if (const auto wait = Decimal(text, base::kMicrosPerSecond)) return wait;
  const auto date = HttpDate(text);
  if (!date || *date < wall_now) return std::nullopt;
  return std::min(*date - wall_now, kMostWait);
}

base::Micros Backoff(int next, double random) {
  constexpr base::Micros kFirst = base::kMicrosPerSecond / 2;
  constexpr int kMostDoublings = 4;  // 8 s
  const base::Micros wait = kFirst << std::clamp(next - 2, 0, kMostDoublings);
  const double part = random > 0 ? std::min(random, 1.0) : 0.0;  // a NaN is 0
  return wait - static_cast<base::Micros>(static_cast<double>(wait) * 0.25 * part);
}

}  // namespace strongroom::worker
