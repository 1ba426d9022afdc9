// What an export writes: a file or a directory that is there whole, or not at all.
#pragma once

#include <string>
#include <string_view>

#include "base/files.h"
#include "base/result.h"

namespace strongroom::audit {

// OutFile is a file (0600) that is put in its place by Finish, over one that was there; or standard output, where what was written
// is written. Errors carry errno.
class OutFile {
 public:
  // Open takes "" as standard output. What is there and is no regular file is kRefused.
  static Result<OutFile> Open(const std::string& path);
  OutFile(OutFile&& other) noexcept;
  OutFile& operator=(OutFile&&) = delete;
  ~OutFile();

  Result<void> Write(std::string_view bytes);
  // Finish makes it durable.
  Result<void> Finish();

 private:
  OutFile(base::UniqueFd fd, std::string path, std::string temporary)
      : fd_(std::move(fd)), path_(std::move(path)), temporary_(std::move(temporary)) {}
  Result<void> Flush();

  base::UniqueFd fd_;
  std::string path_, temporary_;  // empty: standard output, or in its place
  std::string buffer_;
};

// OutDirectory is a directory (0700) of files (0600) that is put in its place by Finish.
class OutDirectory {
 public:
  // Open is kRefused where the path is taken by anything but an empty directory.
  static Result<OutDirectory> Open(const std::string& path);
  OutDirectory(OutDirectory&& other) noexcept;
  OutDirectory& operator=(OutDirectory&&) = delete;
  ~OutDirectory();

  // Put writes a new file, and the directories it is in. `name` is relative and ours.
  Result<void> Put(const std::string& name, std::string_view content);
  Result<void> Finish();

 private:
  OutDirectory(std::string path, std::string temporary) : path_(std::move(path)), temporary_(std::move(temporary)) {}

  std::string path_, temporary_;
  std::string made_;  // the last directory that was made
};

// StopOnSignals makes SIGINT, SIGTERM and SIGHUP fail what is written next, so that what was begun is taken away.
void StopOnSignals();

// WhyNot is an error as a person reads it: the system's own words instead of an errno.
std::string WhyNot(const Error& error);

}  // namespace strongroom::audit
