// Result and Error: how every room reports failure. Our code does not throw.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace strongroom::base {

// Code says what kind of failure it was, for programs. The names of its values are stable (CodeName).
enum class Code : std::uint8_t {
  kInvalidArgument,    // the caller's input breaks a rule
  kNotFound,           // no such thing, or none this caller may see
  kAlreadyExists,      // it is there already
  kPermissionDenied,   // the caller has no right to it
  kRefused,            // a rule of the vault forbids it in this state
  kConflict,           // somebody else changed it first: read again and retry
  kUnavailable,        // a part is away, busy or full: the same call may succeed later
  kCorrupt,            // stored or received bytes are not what they must be
  kDecryptFailed,      // every failure to open a ciphertext, without distinction
  kDeadlineExceeded,   // no answer in time
  kResourceExhausted,  // a limit is reached
  kInternal,           // ours to fix
};

// CodeName returns the code's stable name, such as "NOT_FOUND".
std::string_view CodeName(Code code);

// Literal is text fixed at compile time. Its constructor is consteval, so a run-time string, and with it a
// secret, cannot become an error text by accident.
class Literal {
 public:
  consteval Literal(const char* text) : text_(text) {}  // NOLINT: implicit on purpose
  constexpr std::string_view view() const { return text_; }

 private:
  const char* text_;
};

// Error is a code, a literal, and at most one number (errno, a line, a limit) that gives the literal its point.
// `refusal` is the row of the vault's refusal table that this error came from, 0 for none.
class [[nodiscard]] Error {
 public:
  constexpr Error(Code code, Literal text) : text_(text), code_(code) {}
  constexpr Error(Code code, Literal text, std::int64_t number)
      : text_(text), number_(number), code_(code), has_number_(true) {}

  constexpr Code code() const { return code_; }
  constexpr std::string_view text() const { return text_.view(); }
  constexpr bool has_number() const { return has_number_; }
  constexpr std::int64_t number() const { return number_; }
  constexpr std::uint16_t refusal() const { return refusal_; }
  constexpr Error WithRefusal(std::uint16_t refusal) const {
    Error copy = *this;
    copy.refusal_ = refusal;
    return copy;
  }
  // Message returns the one line a person reads: the text, and the number in brackets where there is one.
  std::string Message() const;

 private:
  Literal text_;
  std::int64_t number_ = 0;
  std::uint16_t refusal_ = 0;
  Code code_;
  bool has_number_ = false;
};

template <typename T>
using Result = std::expected<T, Error>;

// Fail makes the error half of any Result: `return Fail(Code::kNotFound, "no such key");`
constexpr std::unexpected<Error> Fail(Code code, Literal text) { return std::unexpected(Error(code, text)); }
constexpr std::unexpected<Error> Fail(Code code, Literal text, std::int64_t number) {
  return std::unexpected(Error(code, text, number));
}
constexpr std::unexpected<Error> Fail(const Error& error) { return std::unexpected(error); }

// CheckFailed prints where a CHECK broke and aborts. It never returns.
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace strongroom::base

namespace strongroom {
using base::Code;
using base::Error;
using base::Fail;
using base::Result;
}  // namespace strongroom

// CHECK aborts, in release builds too, when our own reasoning is broken. Never for input or environment. It is for .cpp
// files: in a test file that has Catch's header before this one, the name is Catch's.
#ifndef CHECK
#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::strongroom::base::CheckFailed(#condition, __FILE__, __LINE__))
#endif

// TRY returns the error of a failed expression to the caller; TRY_ASSIGN also names the value.
#define STRONGROOM_JOIN2(a, b) a##b
#define STRONGROOM_JOIN(a, b) STRONGROOM_JOIN2(a, b)
#define TRY(expression)                                                                          \
  do {                                                                                           \
    if (auto try_result = (expression); !try_result) return std::unexpected(try_result.error()); \
  } while (false)
#define TRY_ASSIGN(declaration, expression) \
  STRONGROOM_TRY_ASSIGN(STRONGROOM_JOIN(try_, __COUNTER__), declaration, expression)
#define STRONGROOM_TRY_ASSIGN(temporary, declaration, expression) \
  auto temporary = (expression);                                  \
  if (!temporary) return std::unexpected(temporary.error());      \
  declaration = std::move(*temporary)
