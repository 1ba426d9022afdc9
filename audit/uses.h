// The file that `keytool compromise` writes: each use of a key, with the proof that it is in the trail (audit/FORMAT.md, Uses of a key).
#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <optional>
#include <string>
#include <string_view>

#include "audit/checkpoint.h"
#include "audit/note.h"
#include "base/clock.h"
#include "base/result.h"

namespace strongroom::audit {

inline constexpr std::string_view kUsesFormat = "strongroom-uses-1";

// UsesVerdict is what such a file is worth: `kind` is empty where each use verifies, else "changed", "signature", "truncated" or "malformed".
struct UsesVerdict {
  std::string kind, detail;
  std::optional<std::int64_t> seq;  // the first use that is wrong
  std::string key_ref;
  base::Micros since = 0;
  std::int64_t uses = 0;
  Checkpoint checkpoint;
  Note note;
};

// VerifyUses reads it line by line, to the first fault. `trusts` says whether a checkpoint's signature counts.
UsesVerdict VerifyUses(std::istream& lines, const std::function<Signed(const Note&, const Checkpoint&)>& trusts);

}  // namespace strongroom::audit
