#include "keytool/whole_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace strongroom::keytool {
namespace {

constexpr std::size_t kBlock = 1 << 20;
constexpr mode_t kMode = 0600;

}  // namespace

WholeFile::~WholeFile() {
  if (fd_.valid()) unlink(part_.c_str());
}

Outcome<void> WholeFile::Open() {
  auto locked = base::LockFile(part_);
  if (!locked && locked.error().code() == Code::kAlreadyExists) return Failed("FILE_BUSY", About(path_) + ": another command is writing it");
  if (!locked) return FailedBy(locked.error(), About(part_));
  // Somebody else's would keep their mode, and stay theirs; one that was renamed since it was opened is finished.
  struct stat ours {}, there {};
  const bool same = fstat(locked->get(), &ours) == 0 && lstat(part_.c_str(), &there) == 0 && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
  if (!same) return Failed("FILE_BUSY", About(path_) + ": another command is writing it");
  if (ours.st_uid != geteuid() || ours.st_nlink != 1) return Failed("FILE_FAILED", About(part_) + " is somebody else's: remove it, or name another file");
  if (fchmod(locked->get(), kMode) != 0 || ftruncate(locked->get(), 0) != 0) return Failed("FILE_FAILED", About(part_) + ": " + std::strerror(errno));
  fd_ = std::move(*locked);
  return {};
}

Outcome<void> WholeFile::Add(const std::string& text) {
  block_ += text;
  return block_.size() < kBlock ? Outcome<void>() : Flush();
}

Outcome<void> WholeFile::Finish(base::Replace replace) {
  TRY(Flush());
  if (const auto put = base::PutInPlace(part_, path_, replace); !put) return FailedBy(put.error(), About(path_));
  fd_.Reset();
  return {};
}

Outcome<void> WholeFile::Flush() {
  const auto written = base::WriteAll(fd_.get(), base::AsBytes(block_));
  block_.clear();
  if (!written) return FailedBy(written.error(), About(path_));
  return {};
}

}  // namespace strongroom::keytool
