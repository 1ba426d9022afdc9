// OnboardGuide: the questions of `keytool onboard` on a terminal. Whatever they ask has a flag, and what the command line says is not asked.
#pragma once

#include "keytool/onboard.h"

namespace strongroom::keytool {

// NeedsGuide is true where the command line leaves out what there is no default for.
bool NeedsGuide(const OnboardOptions& options);

// CheckGuide is a usage problem where there is no terminal to ask on.
Outcome<void> CheckGuide();

// Guided is what the answers come to. With `ticket` the key is not typed here: its customer seals it.
struct Guided {
  OnboardOptions options;
  bool ticket = false;
};

// AskOnboarding asks one thing after the other; "<" goes back to the one before. At the end it shows all of it and asks whether to go on: nothing is
// done before that. A problem where no more comes (^D).
Outcome<Guided> AskOnboarding(const Session& session, const OnboardOptions& given);

}  // namespace strongroom::keytool
