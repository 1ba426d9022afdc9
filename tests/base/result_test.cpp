#include "base/result.h"

#include <type_traits>

#include <catch2/catch.hpp>

#include "base/log.h"

using namespace strongroom;

// A run-time string, and with it a secret, cannot become an error's text or a log line's event or fact name.
static_assert(!std::is_constructible_v<Error, Code, std::string>);
static_assert(!std::is_convertible_v<std::string, base::Literal>);
static_assert(!std::is_convertible_v<std::string_view, base::Literal>);

namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) return Fail(Code::kInvalidArgument, "not even", value);
  return value / 2;
}
Result<int> Quarter(int value) {
  TRY_ASSIGN(const int half, Half(value));
  TRY(Half(half));
  return Half(half);
}

}  // namespace

TEST_CASE("an error carries its code, its literal and one number") {
  CHECK(Quarter(8).value() == 2);
  const Error error = Quarter(6).error();
  CHECK(error.code() == Code::kInvalidArgument);
  CHECK(error.Message() == "not even (3)");
  CHECK(error.WithRefusal(7).refusal() == 7);
  CHECK(error.refusal() == 0);
  CHECK(base::CodeName(Code::kDecryptFailed) == "DECRYPT_FAILED");
}

TEST_CASE("JSON strings are escaped as RFC 8785 has it") {
  std::string out;
  base::AppendJsonString(out, "a\"\\\b\f\n\r\t\x01\x1f\x7f\xc3\xa9");
  CHECK(out == "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9\"");
  out.clear();
  base::AppendJsonString(out, "x\xff");
  CHECK(out == "\"x\xef\xbf\xbd\"");
}
