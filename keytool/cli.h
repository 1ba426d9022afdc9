// The command line of keytool.
#pragma once

namespace strongroom::keytool {

// Run parses the command line, runs the one command it names and returns the exit code: 0 done, 1 refused or failed,
// 2 usage.
int Run(int argc, const char* const* argv);

}  // namespace strongroom::keytool
