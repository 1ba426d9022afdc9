// CeremonyTerminal: a share on the screen for its custodian alone, and shares typed in.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "base/files.h"
#include "base/result.h"
#include "vault/shares.h"

namespace strongroom::vault {

// It speaks to /dev/tty, on the terminal's second screen, which keeps no history: what was shown or typed there is gone from the
// window once the step is over, or the process is ended by a signal. One at a time: signal handlers belong to the process.
class CeremonyTerminal {
 public:
  // Open is kUnavailable where the process has no terminal.
  static Result<std::unique_ptr<CeremonyTerminal>> Open();
  ~CeremonyTerminal();
  CeremonyTerminal(const CeremonyTerminal&) = delete;
  CeremonyTerminal& operator=(const CeremonyTerminal&) = delete;

  // Show leaves a share on the screen until Enter is pressed.
  Result<void> Show(const Share& share);
  // Read asks for one share, by the path of its file or by its lines, until `judge` has nothing against it (an empty line).
  // `question` says which is meant. The error is the terminal's.
  using Judge = std::function<std::string(const Share&)>;
  Result<Share> Read(const std::string& question, const Judge& judge);

 private:
  explicit CeremonyTerminal(base::UniqueFd tty) : tty_(std::move(tty)) {}
  Result<void> Say(std::string_view text) const;
  using Answer = std::expected<Share, ShareProblem>;
  Result<Answer> ReadOnce();
  Result<Answer> ReadLines(SecretValue first);

  base::UniqueFd tty_;
};

}  // namespace strongroom::vault
