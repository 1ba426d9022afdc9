// Stranger: a process under another uid that listens where vaultd should, and counts what it is told.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace strongroom::e2e {

class Stranger {
 public:
  // Listens on `path` as `uid`; returns once it does.
  Stranger(const std::string& path, uid_t uid);
  Stranger(const Stranger&) = delete;
  ~Stranger();
  std::int64_t BytesHeard() const;

 private:
  pid_t pid_ = -1;
  std::int64_t* heard_;  // shared with the process
};

}  // namespace strongroom::e2e
