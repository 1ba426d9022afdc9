// Blast: what the work database knows of a key: whose calls it carried, what fails, what waits, and what it cost. Read-only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/clock.h"
#include "keytool/context.h"
#include "keytool/problem.h"
#include "keytool/usage.h"
#include "sql/database.h"

namespace strongroom::keytool {

inline constexpr std::int64_t kRecentMinutes = 5;

struct BlastQuestion {
  std::string key_ref;
  std::set<std::string> profiles;  // those that use the key: their calls fail without one
  base::Micros since = 0, now = 0;
};

struct Blast {
  CallSums calls;  // with this key, since then
  std::int64_t failed = 0, failed_lately = 0;     // since then, and in the last kRecentMinutes
  std::map<std::string, std::int64_t> errors;     // by ERROR_CODE, since then
  std::set<std::string> customers;
  std::map<std::string, std::int64_t> waiting, replied;  // requests by inbound queue, answers by reply queue: LIBRARY/NAME
  bool waiting_known = true;  // false where the queue is not in the work database
  bool waiting_cut = false;   // true where more wait than were looked at
};

Outcome<Blast> ReadBlast(const Context& context, const BlastQuestion& question);

// CallOf is which model a use called, and which worker says so; both empty where nothing is logged (yet).
struct CallOf {
  std::string model, worker;
};
class CallLog {
 public:
  static Outcome<CallLog> Open(const Context& context);
  Outcome<CallOf> Find(const std::string& customer, const std::string& request_id);

 private:
  std::unique_ptr<sql::Database> database_;
};

}  // namespace strongroom::keytool
