// FileCopy: a file copied, durably, and known by its SHA-256.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace strongroom::vault {

struct FileFacts {
  std::int64_t size = 0;
  std::string sha256;  // hexadecimal
};

// HashFile reads a regular file to its end; a symbolic link is refused.
Result<FileFacts> HashFile(const std::string& path);

// CopyFile makes the new file `to` with exactly this mode, durable on return; what it tells is what it wrote. kAlreadyExists where the
// name is taken.
Result<FileFacts> CopyFile(const std::string& from, const std::string& to, mode_t mode);

}  // namespace strongroom::vault
