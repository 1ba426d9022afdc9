// WholeFile: a file that a command writes piece by piece.
#pragma once

#include <string>

#include "base/files.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

// WholeFile is a file that nobody sees under its name before it is whole. It is written as NAME.part, under a lock: what an interrupted run leaves of that is
// begun anew, and what another run writes is left to it (FILE_BUSY). A problem names `flag`.
class WholeFile {
 public:
  WholeFile(std::string flag, std::string path) : flag_(std::move(flag)), path_(std::move(path)), part_(path_ + ".part") {}
  ~WholeFile();
  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;

  Outcome<void> Open();
  Outcome<void> Add(const std::string& text);
  // Finish gives it its name, durable on return. With Replace::kNo what has come there meanwhile is not written over: ALREADY_EXISTS.
  Outcome<void> Finish(base::Replace replace);

 private:
  Outcome<void> Flush();
  std::string About(const std::string& path) const { return flag_ + " " + path; }

  const std::string flag_, path_, part_;
  std::string block_;
  base::UniqueFd fd_;  // valid until the file has its name
};

}  // namespace strongroom::keytool
