// due: what somebody has to look after among the keys, and the command that does it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

struct DueOptions {
  std::string customer;
  std::int64_t unused_days = 90, ahead_days = 7;
  bool probe = false;  // ask the providers whether they still take the keys that are ROTATED
};

// Due is one key to look after. `due` is "rotation", "grace", "unused", "pending", "suspended", "recovery" (a profile waits for another key), "destruction" or
// "provider"; of a profile, by its key, it is "quota".
struct Due {
  std::string key_ref, status, due, why;
  ShownCommand command;
};

// FindDue reads ListKeys' document. `profiles_of` is asked which profiles use a key, `instead` which key took a ROTATED one's place (both may be
// empty). The result is in the document's order.
struct DueQuestion {
  base::Config::Rotation policy;
  DueOptions options;
  base::Micros now = 0;
  std::function<std::vector<std::string>(const std::string& key_ref)> profiles_of;
  std::function<std::string(const std::string& key_ref)> instead;
};
Outcome<std::vector<Due>> FindDue(const std::string& keys, const DueQuestion& question);

// ShowDue prints them. It is no problem that there are some.
Outcome<void> ShowDue(const Context& context, const DueOptions& options);

}  // namespace strongroom::keytool
