// What an export writes: a file or a directory that is there whole, or not at all.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "base/result.h"

namespace strongroom::audit {

// Temporary is a file or directory that is taken away with all that is in it, unless it was kept. Move-only.
class Temporary {
 public:
  // "" is none.
  explicit Temporary(std::string path) : path_(std::move(path)) {}
  Temporary(Temporary&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Temporary& operator=(Temporary&&) = delete;
  ~Temporary();
  const std::string& path() const { return path_; }
  void Keep() { path_.clear(); }

 private:
  std::string path_;
};

// OutFile is a file (0600) that is put in its place by Finish, over one that was there; or standard output, where what was written
// is written. Errors carry errno.
class OutFile {
 public:
  // Open takes "" as standard output. What is there and is no regular file is kRefused.
  static Result<OutFile> Open(const std::string& path);

  Result<void> Write(std::string_view bytes);
  // Finish makes it durable.
  Result<void> Finish();

 private:
  OutFile(base::UniqueFd fd, std::string path, Temporary temporary)
      : fd_(std::move(fd)), path_(std::move(path)), temporary_(std::move(temporary)) {}
  Result<void> Flush();

  base::UniqueFd fd_;
  std::string path_;
  Temporary temporary_;  // none: standard output, or in its place
  std::string buffer_;
};

// OutDirectory is a directory (0700) of files (0600) that is put in its place by Finish.
class OutDirectory {
 public:
  // Open is kRefused where the path is taken by anything but an empty directory.
  static Result<OutDirectory> Open(const std::string& path);

  // Put writes a new file, and the directories it is in. `name` is relative and ours.
  Result<void> Put(const std::string& name, std::string_view content);
  Result<void> Finish();

 private:
  OutDirectory(std::string path, Temporary temporary) : path_(std::move(path)), temporary_(std::move(temporary)) {}

  std::string path_;
  Temporary temporary_;
  std::string made_;  // the last directory that was made
};

// StopOnSignals makes SIGINT, SIGTERM and SIGHUP fail what is written next, so that what was begun is taken away.
void StopOnSignals();

// WhyNot is an error as a person reads it: the system's own words instead of an errno.
std::string WhyNot(const Error& error);

}  // namespace strongroom::audit
