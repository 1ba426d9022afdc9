// Reason: why an admin does it, as it will stand in the trail.
#pragma once

#include <string>

#include "keytool/problem.h"

namespace strongroom::keytool {

// AskReason returns --reason, or asks for one where standard input is a terminal. A usage problem where there is
// neither, and where it is empty, over 500 bytes, or not one line of UTF-8.
Outcome<std::string> AskReason(const std::string& flag);

// AskTyped asks for one line where standard input is a terminal; empty where it is not.
std::string AskTyped(const std::string& prompt);

}  // namespace strongroom::keytool
