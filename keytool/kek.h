// kek status, rotate, destroy: the keys that wrap the keys.
#pragma once

#include <cstdint>
#include <string>

#include "keytool/context.h"
#include "keytool/key_source.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

Outcome<void> ShowKeks(const Context& context);

// RotateKek takes a new KEK version into use, rewraps every key under it and retires the old one, while vaultd goes on
// serving. A rotation that was begun and not finished is finished instead. `files` is where a token's PIN comes from, which is
// asked for where vaultd needs one and has none.
Outcome<void> RotateKek(const Context& context, const SecretFiles& files, const std::string& reason);

// DestroyKek erases the file of a version that was retired at least 7 days ago.
Outcome<void> DestroyKek(const Context& context, std::int64_t version, const std::string& reason);

}  // namespace strongroom::keytool
