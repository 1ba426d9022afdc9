#include "base/clock.h"

#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <utility>

namespace strongroom::base {
namespace {

Micros Read(clockid_t clock) {
  timespec now{};
  CHECK(clock_gettime(clock, &now) == 0);
  return now.tv_sec * kMicrosPerSecond + now.tv_nsec / 1000;
}

// Seconds renders whole seconds. A log or a trail asks for the same second thousands of times.
const std::string& Seconds(Micros seconds) {
  thread_local Micros last = INT64_MIN;
  thread_local std::string text;
  if (seconds == last) return text;
  const std::time_t when = seconds;
  std::tm parts{};
  gmtime_r(&when, &parts);
  std::array<char, 64> buffer{};
  const std::size_t length = std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  text.assign(buffer.data(), length);
  last = seconds;
  return text;
}

std::string Format(Micros wall, int decimals) {
  Micros seconds = wall / kMicrosPerSecond;
  Micros fraction = wall % kMicrosPerSecond;
  if (fraction < 0) {
    fraction += kMicrosPerSecond;
    --seconds;
  }
  std::string out;
  out.reserve(sizeof "2026-11-20T08:00:00.000000Z");
  out += Seconds(seconds);
  out += '.';
  for (Micros unit = kMicrosPerSecond / 10; decimals > 0; --decimals, unit /= 10) {
    out += static_cast<char>('0' + fraction / unit % 10);
  }
  out += 'Z';
  return out;
}

// Digits reads exactly `width` decimal digits at the front of `text` and drops them.
bool Digits(std::string_view& text, std::size_t width, int& value) {
  if (text.size() < width) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + width, value);
  if (error != std::errc{} || end != text.data() + width || text.front() == '-') return false;
  text.remove_prefix(width);
  return true;
}

bool Char(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

namespace {

std::chrono::year_month MonthAt(Micros wall) {
  const std::chrono::sys_time<std::chrono::microseconds> at{std::chrono::microseconds(wall)};
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(at));
  return day.year() / day.month();
}

Micros StartOf(std::chrono::year_month month) {
  return std::chrono::microseconds(std::chrono::sys_days(month / 1).time_since_epoch()).count();
}

}  // namespace

Micros MonthOf(Micros wall) { return StartOf(MonthAt(wall)); }
Micros MonthAfter(Micros wall) { return StartOf(MonthAt(wall) + std::chrono::months(1)); }

Micros WallMicros() { return Read(CLOCK_REALTIME); }
Micros MonoMicros() { return Read(CLOCK_BOOTTIME); }
std::string FormatTime(Micros wall) { return Format(wall, 6); }
std::string FormatTimeMillis(Micros wall) { return Format(wall, 3); }

Result<Micros> ParseTime(std::string_view text) {
  constexpr Literal kBad = "not a time: write it as 2026-11-20 or 2026-11-20T08:00:00Z";
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!Digits(text, 4, year) || !Char(text, '-') || !Digits(text, 2, month) || !Char(text, '-') ||
      !Digits(text, 2, day)) {
    return Fail(Code::kInvalidArgument, kBad);
  }
  Micros fraction = 0;
  if (!text.empty()) {
    if (!Char(text, 'T') || !Digits(text, 2, hour) || !Char(text, ':') || !Digits(text, 2, minute) ||
        !Char(text, ':') || !Digits(text, 2, second)) {
      return Fail(Code::kInvalidArgument, kBad);
    }
    if (Char(text, '.')) {
      Micros scale = kMicrosPerSecond;
      int digit = 0;
      while (scale > 1 && Digits(text, 1, digit)) fraction += digit * (scale /= 10);
    }
    if (text != "Z") return Fail(Code::kInvalidArgument, kBad);
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return Fail(Code::kInvalidArgument, kBad);
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * kMicrosPerDay + (hour * 3600LL + minute * 60LL + second) * kMicrosPerSecond + fraction;
}

Result<Micros> ParseDuration(std::string_view text) {
  constexpr Literal kBad = "not a duration: write it as 90s, 15m, 12h or 30d";
  constexpr Micros kMost = 36'500 * kMicrosPerDay;
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || count < 0 || count > kMost / kMicrosPerSecond) {
    return Fail(Code::kInvalidArgument, kBad);
  }
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  Micros scale = 0;
  if (unit.empty() || unit == "s") scale = kMicrosPerSecond;
  if (unit == "m") scale = 60 * kMicrosPerSecond;
  if (unit == "h") scale = 3600 * kMicrosPerSecond;
  if (unit == "d") scale = kMicrosPerDay;
  if (scale == 0 || count > kMost / scale) return Fail(Code::kInvalidArgument, kBad);
  return count * scale;
}

}  // namespace strongroom::base
