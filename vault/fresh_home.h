// FreshHome: a directory that becomes a home, by init or by a restore.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "vault/service.h"

namespace strongroom::vault {

// Made remembers what this run has created, and takes it away again unless Keep is called.
class Made {
 public:
  Made() = default;
  Made(const Made&) = delete;
  Made& operator=(const Made&) = delete;
  ~Made();
  void Add(const std::string& path) { paths_.push_back(path); }
  void AddDatabase(const std::string& path);
  void Keep() { paths_.clear(); }

 private:
  std::vector<std::string> paths_;
};

// IsThere is true of anything by that name, a link that leads nowhere included.
bool IsThere(const std::string& path);

// MakeHome makes the directory (0750), or takes one that is there: rights are only ever taken away, and only where it is
// empty. The result is a line for a person, empty where there is nothing to say.
std::expected<std::string, VaultProblem> MakeHome(const std::string& home, Made& made);

}  // namespace strongroom::vault
