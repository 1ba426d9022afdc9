// Which keys the simulator accepts. They are test keys: this room never meets a real one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/result.h"

namespace strongroom::sim {

// IsKeyShaped is true for 20 to 2,000 bytes of 0x21 to 0x7E.
bool IsKeyShaped(std::string_view key);

// KeyList is the file of --valid-key-file, one key a line, read again whenever the file has changed.
class KeyList {
 public:
  // Open reads the file once; an empty path accepts every key that is shaped like one. kNotFound,
  // kUnavailable.
  static Result<KeyList> Open(const std::string& path);

  // Accepts looks at the file's times first. A file that has gone keeps its last keys.
  bool Accepts(std::string_view key);

 private:
  struct Stamp {
    ino_t inode = 0;
    off_t size = -1;
    std::int64_t modified = 0;  // nanoseconds
    std::int64_t changed = 0;
    bool operator==(const Stamp&) const = default;
  };
  Stamp ReadStamp() const;
  Result<void> Load();

  std::string path_;
  Stamp stamp_;
  std::unordered_set<std::string> keys_;
};

}  // namespace strongroom::sim
