#include "keytool/money.h"

#include <algorithm>

namespace strongroom::keytool {
namespace {

constexpr std::int64_t kMicro = 1'000'000;
constexpr std::int64_t kMostUsd = 1'000'000;
constexpr std::size_t kMostWhole = 7, kDecimals = 6;  // digits

bool AllDigits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::int64_t Value(std::string_view digits) {
  std::int64_t value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return value;
}

}  // namespace

Result<std::int64_t> ParseUsd(std::string_view text) {
  constexpr base::Literal kBad = "write dollars as 3 or 0.25, with at most 6 decimals, up to 1000000";
  const std::size_t point = text.find('.');
  std::string_view whole = text.substr(0, point);
  const std::string_view decimals = point == std::string_view::npos ? "" : text.substr(point + 1);
  if (whole.empty() && decimals.empty()) return Fail(Code::kInvalidArgument, kBad);
  if (point != std::string_view::npos && decimals.empty()) return Fail(Code::kInvalidArgument, kBad);
  if (!AllDigits(whole) || !AllDigits(decimals)) return Fail(Code::kInvalidArgument, kBad);
  if (whole.size() > kMostWhole || decimals.size() > kDecimals) return Fail(Code::kInvalidArgument, kBad);
  std::string micros(decimals);
  micros.resize(kDecimals, '0');
  const std::int64_t micro_usd = Value(whole) * kMicro + Value(micros);
  if (micro_usd > kMostUsd * kMicro) return Fail(Code::kInvalidArgument, kBad);
  return micro_usd;
}

std::string FormatUsd(std::int64_t micro_usd) {
  const bool negative = micro_usd < 0;
  const std::uint64_t size = negative ? 0U - static_cast<std::uint64_t>(micro_usd) : static_cast<std::uint64_t>(micro_usd);
  std::string decimals = std::to_string(size % kMicro);
  decimals.insert(0, kDecimals - decimals.size(), '0');
  while (decimals.size() > 2 && decimals.back() == '0') decimals.pop_back();
  return (negative ? "-" : "") + std::to_string(size / kMicro) + "." + decimals;
}

}  // namespace strongroom::keytool
