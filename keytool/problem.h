// Problem and Outcome: how a command says that it did not do it, and why, in words for the person who typed it.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "base/command_line.h"
#include "base/result.h"

namespace strongroom::keytool {

inline constexpr int kExitRefused = 1;  // refused or failed
using base::kExitUsage;                 // the command line is wrong

// Problem is one line for a person, and for programs a stable name ("KEY_REVOKED", "USAGE") and the KEY_REF that the
// command leaves behind, if any. It may quote the command line and public facts; it is made of no secret.
struct Problem {
  int exit_code = kExitRefused;
  std::string name;  // empty where the document that was printed says it
  std::string text;
  std::string key_ref;
  bool answered = false;  // whether it is vaultd's answer
};

// Outcome is a command's Result. TRY and TRY_ASSIGN work on it as on Result.
template <typename T>
using Outcome = std::expected<T, Problem>;

inline std::unexpected<Problem> Usage(std::string text) {
  return std::unexpected(Problem{kExitUsage, "USAGE", std::move(text), "", false});
}
inline std::unexpected<Problem> Failed(std::string name, std::string text) {
  return std::unexpected(Problem{kExitRefused, std::move(name), std::move(text), "", false});
}
// Unreadable is an answer of vaultd's that this build cannot take apart.
inline std::unexpected<Problem> Unreadable() {
  return Failed("CORRUPT", "vaultd's answer cannot be read; are both programs of the same version?");
}
// FailedBy is Failed with an error's own code and message after `about`.
inline std::unexpected<Problem> FailedBy(const Error& error, const std::string& about) {
  return Failed(std::string(base::CodeName(error.code())), about + ": " + error.Message());
}

}  // namespace strongroom::keytool
