#include "audit/anchor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace strongroom::audit {
namespace {

struct Held {
  Checkpoint checkpoint;
  Note note;
  int half = 0;
};

std::string Padded(std::string text) {
  CHECK(text.size() < Anchor::kHalfBytes);
  text.resize(Anchor::kHalfBytes);
  return text;
}

Result<void> WriteAt(int fd, std::string_view bytes, off_t offset) {
  const auto written = base::WriteAt(fd, base::AsBytes(bytes), offset);
  if (!written) return Fail(Code::kUnavailable, "the anchor cannot be written: errno", written.error().number());
  return {};
}

std::optional<Held> ParseHalf(std::string_view bytes, int half) {
  bytes = bytes.substr(0, bytes.find('\0'));
  auto note = Note::Parse(bytes);
  if (!note) return std::nullopt;
  auto checkpoint = Checkpoint::Parse(note->text);
  if (!checkpoint) return std::nullopt;
  return Held{std::move(*checkpoint), std::move(*note), half};
}

// Halves is the newest checkpoint, and the one before it where that is there.
struct Halves {
  Held newest;
  std::optional<Held> before;
  int signed_half() const {
    if (!newest.note.signatures.empty()) return newest.half;
    return before && !before->note.signatures.empty() ? before->half : -1;
  }
};

Result<Halves> ReadHalves(int fd) {
  std::array<char, 2 * Anchor::kHalfBytes> bytes{};
  const ssize_t got = pread(fd, bytes.data(), bytes.size(), 0);
  if (got < 0) return Fail(Code::kUnavailable, "the anchor cannot be read: errno", errno);
  const std::string_view text(bytes.data(), bytes.size());
  std::optional<Held> newest = ParseHalf(text.substr(0, Anchor::kHalfBytes), 0);
  std::optional<Held> other = ParseHalf(text.substr(Anchor::kHalfBytes), 1);
  if (newest && other && newest->checkpoint.origin != other->checkpoint.origin) {
    return Fail(Code::kCorrupt, "the anchor's halves are of two logs");
  }
  if (newest && other && newest->checkpoint.head.size == other->checkpoint.head.size && !(newest->checkpoint.head == other->checkpoint.head)) {
    return Fail(Code::kCorrupt, "the anchor's halves are of one size and two trees");
  }
  // Of two of one size the signed one was written later.
  const auto is_newer = [](const Held& a, const Held& b) {
    return std::pair(a.checkpoint.head.size, a.note.signatures.size()) > std::pair(b.checkpoint.head.size, b.note.signatures.size());
  };
  if (other && (!newest || is_newer(*other, *newest))) newest.swap(other);
  if (!newest) return Fail(Code::kCorrupt, "the anchor holds no checkpoint");
  return Halves{std::move(*newest), std::move(other)};
}

Result<base::UniqueFd> OpenFile(const std::string& path, int flags) {
  base::UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  struct stat facts {};
  if (fd.valid() && (fstat(fd.get(), &facts) != 0 || !S_ISREG(facts.st_mode))) return Fail(Code::kCorrupt, "the anchor is no plain file");
  if (fd.valid()) return fd;
  if (errno == ENOENT) return Fail(Code::kNotFound, "there is no anchor");
  if (errno == EEXIST) return Fail(Code::kAlreadyExists, "there is an anchor already");
  return Fail(Code::kUnavailable, "the anchor cannot be opened: errno", errno);
}

}  // namespace

Result<void> Anchor::Create(const std::string& path, const Checkpoint& first) {
  TRY_ASSIGN(const base::UniqueFd fd, OpenFile(path, O_WRONLY | O_CREAT | O_EXCL));
  Note note;
  note.text = first.Body();
  TRY(WriteAt(fd.get(), Padded(note.Print()) + std::string(kHalfBytes, '\0'), 0));
  if (fsync(fd.get()) != 0) return Fail(Code::kUnavailable, "the anchor cannot be made durable: errno", errno);
  return base::SyncDirectory(path.substr(0, path.rfind('/')));
}

Result<std::unique_ptr<Anchor>> Anchor::Open(const std::string& path, Sign sign) {
  TRY_ASSIGN(base::UniqueFd fd, OpenFile(path, O_RDWR));
  TRY_ASSIGN(Halves halves, ReadHalves(fd.get()));
  const int signed_half = halves.signed_half();
  Held& held = halves.newest;
  return std::unique_ptr<Anchor>(
      new Anchor(std::move(fd), std::move(sign), std::move(held.checkpoint), std::move(held.note), held.half, signed_half));
}

Result<Note> Anchor::Read(const std::string& path) {
  TRY_ASSIGN(const base::UniqueFd fd, OpenFile(path, O_RDONLY));
  TRY_ASSIGN(Halves halves, ReadHalves(fd.get()));
  return std::move(halves.newest.note);
}

Result<std::vector<Note>> Anchor::ReadAll(const std::string& path) {
  TRY_ASSIGN(const base::UniqueFd fd, OpenFile(path, O_RDONLY));
  TRY_ASSIGN(Halves halves, ReadHalves(fd.get()));
  std::vector<Note> notes{std::move(halves.newest.note)};
  if (halves.before) notes.push_back(std::move(halves.before->note));
  return notes;
}

Result<void> Anchor::Keep(const Head& head) {
  const std::lock_guard lock(mutex_);
  const bool newer = head.size > newest_.head.size;
  if (!newer && (signed_ || !(head == newest_.head))) return {};
  const Checkpoint next{newest_.origin, head};
  const std::string lines = sign_ ? sign_(next.Body()) : std::string();
  if (!newer && lines.empty()) return {};
  return Put(next, lines);
}

Result<void> Anchor::SignAgain() {
  const std::lock_guard lock(mutex_);
  const std::string lines = sign_ ? sign_(newest_.Body()) : std::string();
  if (lines.empty() || newest_.Body() + '\n' + lines == note_) return {};
  return Put(newest_, lines);
}

// Under the lock.
Result<void> Anchor::Put(Checkpoint next, const std::string& lines) {
  const std::string text = next.Body() + '\n' + lines;
  const bool is_signed = !lines.empty();
  // The newest that is signed stays: one that is not takes the place of another such.
  const int half = !is_signed && signed_half_ == 1 - half_ ? half_ : 1 - half_;
  TRY(WriteAt(fd_.get(), Padded(text), half * static_cast<off_t>(kHalfBytes)));
  if (fdatasync(fd_.get()) != 0) return Fail(Code::kUnavailable, "the anchor cannot be made durable: errno", errno);
  half_ = half;
  if (is_signed) signed_half_ = half;
  newest_ = std::move(next);
  signed_ = is_signed;
  note_ = text;
  return {};
}

Checkpoint Anchor::newest() const {
  const std::lock_guard lock(mutex_);
  return newest_;
}

std::string Anchor::newest_note() const {
  const std::lock_guard lock(mutex_);
  return note_;
}

}  // namespace strongroom::audit
