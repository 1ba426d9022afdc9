// Reason: why an admin does it, as it will stand in the trail.
#pragma once

#include <optional>
#include <string>

#include "keytool/problem.h"

namespace strongroom::keytool {

// AskReason returns --reason, or asks for one where standard input is a terminal. A usage problem where there is
// neither, and where it is empty, over 500 bytes, or not one line of UTF-8.
Outcome<std::string> AskReason(const std::string& flag);

// AskLine asks for one line on standard input, a terminal, without the blanks around it; nullopt where no more comes (^D).
std::optional<std::string> AskLine(const std::string& prompt);
// AskTyped is the same; empty also where no more comes, and where standard input is no terminal.
std::string AskTyped(const std::string& prompt);
// AskYes is true for y or yes.
bool AskYes(const std::string& question);

}  // namespace strongroom::keytool
