#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace strongroom::base {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return "INVALID_ARGUMENT";
    case Code::kNotFound: return "NOT_FOUND";
    case Code::kAlreadyExists: return "ALREADY_EXISTS";
    case Code::kPermissionDenied: return "PERMISSION_DENIED";
    case Code::kRefused: return "REFUSED";
    case Code::kConflict: return "CONFLICT";
    case Code::kUnavailable: return "UNAVAILABLE";
    case Code::kCorrupt: return "CORRUPT";
    case Code::kDecryptFailed: return "DECRYPT_FAILED";
    case Code::kDeadlineExceeded: return "DEADLINE_EXCEEDED";
    case Code::kResourceExhausted: return "RESOURCE_EXHAUSTED";
    case Code::kInternal: return "INTERNAL";
  }
  return "INTERNAL";
}

std::string Error::Message() const {
  std::string message(text());
  if (has_number_) message += " (" + std::to_string(number_) + ")";
  return message;
}

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace strongroom::base
