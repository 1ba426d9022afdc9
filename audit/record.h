// Record: one entry of the trail. Its bytes are its identity: they are written once, stored exactly, hashed, and never
// made again to verify. Format, field by field: audit/FORMAT.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace strongroom::audit {

// Actor is who asked, as the kernel named them. uid is the identity; pid is evidence only.
struct Actor {
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  std::string name;
  std::int64_t pid = 0;
  std::uint64_t pid_start = 0;
  std::string role;  // the role under which the act was allowed; empty where it was refused for want of one
};

enum class Outcome : std::uint8_t { kOk, kDenied, kError };
std::string_view OutcomeName(Outcome outcome);

// IsReleaseAction is true for the acts by which a key leaves vaultd, where their outcome is ok.
bool IsReleaseAction(std::string_view action);

// Facts is a small flat object of public text, such as {"status":"ACTIVE"}. At most 32 of them; a name is 1 to 64
// characters of printable ASCII without quote and backslash.
using Facts = std::map<std::string, std::string>;

// Draft is what an act knows of its own record. Absent fields are omitted. Text must be UTF-8; what is not, or is over
// kMostTextBytes, is replaced or cut when the record is made (Fit), so that a record can always be written.
struct Draft {
  std::string action;
  Outcome outcome = Outcome::kOk;
  Actor actor;
  std::optional<std::string> customer;
  std::optional<std::string> key_ref;
  std::optional<std::int64_t> key_version;
  std::optional<std::string> request_id;
  std::optional<std::string> purpose;
  std::optional<std::string> reason;
  std::optional<Facts> before, after;
  std::optional<std::int64_t> epoch;
  std::optional<std::int64_t> policy_rev;
};

// Place is where a record stands in its log; the log fills it in. `log` and `boot` are plain names (IsPlainName).
struct Place {
  std::string log;   // the log's id: the vault id and the node
  std::string boot;  // random per process
  std::int64_t seq = 0;
  std::string prev;  // leaf hash of record seq−1, 64 hexadecimal digits; 64 zeros first
  base::Micros time = 0;
  base::Micros mono_us = 0;  // CLOCK_BOOTTIME: how long between two records of one boot, whatever the wall clock did
};

inline constexpr std::size_t kMostRecordBytes = 16 * 1024;
inline constexpr std::string_view kNoRecord = "0000000000000000000000000000000000000000000000000000000000000000";

inline constexpr std::size_t kMostTextBytes = 2000;
inline constexpr std::int64_t kMostInteger = (std::int64_t{1} << 53) - 1;  // beyond it JSON readers lose digits

// IsPlainName is true for 1 to 128 characters of printable ASCII without space, quote and backslash.
bool IsPlainName(std::string_view name);
// IsPlace is true where every field of a place is in its range.
bool IsPlace(const Place& place);

// Fit cuts and repairs a draft's texts and facts until every field can be written as it is: bytes that are no UTF-8
// become U+FFFD, and a text that was cut ends in U+2026. A draft that fits already is left alone.
void Fit(Draft& draft);
// IsFitted is true of a draft that Fit leaves alone.
bool IsFitted(const Draft& draft);

// Serialize makes the record's canonical JSON (RFC 8785 as FORMAT.md restricts it), at most kMostRecordBytes, of the
// draft as Fit leaves it. Integers beyond kMostInteger become kMostInteger. A place that breaks its rules is our bug.
std::string Serialize(const Draft& draft, const Place& place);
// SerializeFitted is Serialize of a draft that came from Fit, and of a place whose names and `prev` are known to keep their
// rules: neither is looked through once more.
std::string SerializeFitted(const Draft& draft, const Place& place);

// LeafHash is SHA-256(0x00 ‖ bytes), RFC 6962 §2.1, in lower-case hexadecimal.
std::string LeafHash(std::string_view record);

// Entry is a record read back: its exact bytes and its fields. Parse is strict: what Serialize would not have written
// byte for byte is kCorrupt.
struct Entry {
  std::string bytes;
  Draft draft;
  Place place;
};
Result<Entry> Parse(std::string_view bytes);

}  // namespace strongroom::audit
