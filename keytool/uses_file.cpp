#include "keytool/uses_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/files.h"
#include "keytool/document.h"
#include "keytool/key_trail.h"
#include "keytool/output.h"
#include "keytool/ticket_files.h"
#include "vault/key_trail.h"

namespace strongroom::keytool {
namespace {

constexpr std::size_t kBlock = 1 << 20;
constexpr mode_t kMode = 0600;

// NewFile is a file that nobody sees under its name before it is whole. It is written as NAME.part, under a lock: what an interrupted run leaves of that is
// begun anew, and what another run writes is left to it.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)), part_(path_ + ".part") {}
  ~NewFile() {
    if (fd_.valid()) unlink(part_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  Outcome<void> Open() {
    TRY(CheckNewFile("--out", path_));
    auto locked = base::LockFile(part_);
    if (!locked && locked.error().code() == Code::kAlreadyExists) return Failed("FILE_BUSY", "--out " + path_ + ": another command is writing it");
    if (!locked) return FailedBy(locked.error(), "--out " + part_);
    // Somebody else's would keep their mode, and stay theirs; one that was renamed since it was opened is finished.
    struct stat ours {}, there {};
    const bool same = fstat(locked->get(), &ours) == 0 && lstat(part_.c_str(), &there) == 0 && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
    if (!same) return Failed("FILE_BUSY", "--out " + path_ + ": another command is writing it");
    if (ours.st_uid != geteuid() || ours.st_nlink != 1) return Failed("FILE_FAILED", "--out " + part_ + " is somebody else's: remove it, or name another file");
    if (fchmod(locked->get(), kMode) != 0 || ftruncate(locked->get(), 0) != 0) return Failed("FILE_FAILED", "--out " + part_ + ": " + std::strerror(errno));
    fd_ = std::move(*locked);
    return {};
  }
  Outcome<void> Add(const std::string& line) {
    block_ += line + "\n";
    return block_.size() < kBlock ? Outcome<void>() : Flush();
  }
  Outcome<void> Finish() {
    TRY(Flush());
    // What has come there meanwhile is not written over.
    if (const auto put = base::PutInPlace(part_, path_, base::Replace::kNo); !put) return FailedBy(put.error(), "--out " + path_);
    fd_.Reset();
    return {};
  }

 private:
  Outcome<void> Flush() {
    const auto written = base::WriteAll(fd_.get(), base::AsBytes(block_));
    block_.clear();
    if (!written) return FailedBy(written.error(), "--out " + path_);
    return {};
  }

  const std::string path_, part_;
  std::string block_;
  base::UniqueFd fd_;  // valid until the file has its name
};

std::string Header(const std::string& key_ref, base::Micros since, const std::string& checkpoint) {
  JsonLine line;
  line.Text("format", "strongroom-uses-1").Text("key_ref", key_ref).Text("since", base::FormatTime(since)).Text("checkpoint", checkpoint);
  return line.Str();
}

}  // namespace

std::string UsesFileName(const std::string& key_ref, base::Micros now) {
  std::string name = "uses-" + key_ref + "-" + base::FormatTime(now).substr(0, sizeof "2026-11-20T08:00:00" - 1) + "Z.jsonl";
  std::ranges::replace(name, '/', '-');
  std::erase(name, ':');
  return name;
}

Outcome<UsesReport> WriteUses(const Session& session, const std::string& key_ref, base::Micros since, const std::string& file) {
  NewFile out(file);
  TRY(out.Open());
  TRY_ASSIGN(const std::string checkpoint, session.AskText(vault::Operation::kSignCheckpoint, {}, "a checkpoint to prove the uses against"));
  TRY(out.Add(Header(key_ref, since, checkpoint)));
  UsesReport report;
  report.file = file;
  const TrailQuestion question{key_ref, std::string(vault::kUsesOfKey), since, checkpoint};
  TRY_ASSIGN(report.held_from, EachTrailRow(session, question, [&](const std::string& row) {
    ++(ReadMember(row, "fault").empty() ? report.uses : report.unproven);
    return out.Add(row);
  }));
  TRY(out.Add(JsonLine().Number("uses", report.uses).Number("unproven", report.unproven).Str()));
  TRY(out.Finish());
  return report;
}

Outcome<void> CheckProven(const Session& session, const UsesReport& report) {
  if (report.unproven == 0) return {};
  return Failed("USES_NOT_PROVEN", std::to_string(report.unproven) + " of the uses in " + report.file +
                                       " could not be proven: the vault's database was altered; keep the file and a copy of the database, and see " +
                                       Command(session.context(), {"auditlog verify"}));
}

std::string VerifyCommand(const std::string& file) { return "`" + ShownCommand{"auditlog verify --uses", file, "--vkey KEY"}.text() + "`"; }

}  // namespace strongroom::keytool
