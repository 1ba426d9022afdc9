// rotate: a new version of a key; the old one goes on for its grace.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

struct RotateOptions {
  std::string key_ref, key_file, grace = "30d", reason;
  bool no_verify = false;
};

// Rotate holds and checks the new key before it touches the old one.
Outcome<void> Rotate(const Context& context, const RotateOptions& options);

}  // namespace strongroom::keytool
