// The structured log: one JSON object a line. A line can carry only typed, public facts; nothing here takes a
// secret, and SecretValue has no conversion to anything here (vault/secret.h).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace strongroom::base {

enum class Level : std::uint8_t { kInfo, kWarning, kError };

// Fact is one name and its value in a log line; names are literals, in the order they are to be printed.
struct Fact {
  Literal name;
  std::variant<std::int64_t, std::string_view, bool> value;

  Fact(Literal fact_name, std::string_view text) : name(fact_name), value(text) {}
  Fact(Literal fact_name, const char* text) : name(fact_name), value(std::string_view(text)) {}
  Fact(Literal fact_name, const std::string& text) : name(fact_name), value(std::string_view(text)) {}
  Fact(Literal fact_name, std::int64_t number) : name(fact_name), value(number) {}
  Fact(Literal fact_name, int number) : name(fact_name), value(static_cast<std::int64_t>(number)) {}
  Fact(Literal fact_name, bool flag) : name(fact_name), value(flag) {}
};

// OpenLog sends lines to stderr ("stderr") or to DIR/PROGRAM-YYYY-MM-DD.log, rotated daily, 30 kept, mode 0640.
// Before it is called, lines go to stderr. Errors: kUnavailable where the directory cannot be written.
Result<void> OpenLog(const std::string& destination, const std::string& program);

// Log writes {"ts":…,"pid":…,"level":…,"event":…, facts…}. Thread-safe. Text is escaped; bytes that are not UTF-8
// are replaced. A value over 2,000 bytes is cut.
void Log(Level level, Literal event, std::initializer_list<Fact> facts = {});

// LogError is Log at level error with the error's code and message as facts `code` and `message`.
void LogError(Literal event, const Error& error, std::initializer_list<Fact> facts = {});

// AppendJsonString appends text as a JSON string with its quotes (RFC 8785 escapes; bad UTF-8 becomes U+FFFD).
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace strongroom::base
