// Files that must not be half-written, shared by mistake, or read by others.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace strongroom::base {

// UniqueFd owns a file descriptor; -1 is none. Move-only.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { Reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release();
  void Reset();

 private:
  int fd_ = -1;
};

// OpenPrivate opens a regular file read-only that its owner alone may read (mode 0600 or 0400), owned by us or
// root. Symbolic links are refused. kPermissionDenied says what is wrong; kNotFound where there is no file.
Result<UniqueFd> OpenPrivate(const std::string& path);

// ReadFile reads a public file of at most `most` bytes; somebody else may have put it there. kResourceExhausted where it is larger, kInvalidArgument
// for a pipe, a device or a directory, which would never end, or keep whoever opens it.
Result<std::string> ReadFile(const std::string& path, std::size_t most);

// ReadPrivate reads such a file, of at most `most` bytes. kResourceExhausted where it is larger.
Result<std::string> ReadPrivate(const std::string& path, std::size_t most);

// WriteAll writes all of it, WriteAt at `offset` wherever the descriptor stands. kUnavailable with errno.
Result<void> WriteAll(int fd, ByteView content);
Result<void> WriteAt(int fd, ByteView content, off_t offset);

// Replace is what becomes of a file that is there already; with kNo that is kAlreadyExists, and it stays as it is.
enum class Replace : std::uint8_t { kYes, kNo };
// WriteFileAtomic writes a temporary beside `path`, syncs it, renames it over and syncs the directory: after a
// crash there is the old file or the new one, whole.
Result<void> WriteFileAtomic(const std::string& path, std::string_view content, mode_t mode, Replace replace = Replace::kYes);

// CreateDirectory makes one directory with exactly this mode, and syncs its parent. kAlreadyExists if it is there.
Result<void> CreateDirectory(const std::string& path, mode_t mode);
// PutInPlace syncs the file `temporary`, renames it to `path` in the same directory and syncs that: after a crash there is
// what was at `path` before or the file, whole. The temporary stays where it fails.
Result<void> PutInPlace(const std::string& temporary, const std::string& path, Replace replace = Replace::kYes);
// SyncDirectory makes the names in a directory durable.
Result<void> SyncDirectory(const std::string& path);

// LockFile creates or opens `path` (0600) and takes an exclusive lock that lasts as long as the descriptor.
// kAlreadyExists where another process holds it.
Result<UniqueFd> LockFile(const std::string& path);

}  // namespace strongroom::base
