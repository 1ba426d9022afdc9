#include "vault/stops.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/log.h"
#include "vault/open_vault.h"
#include "vault/proven_key.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kTitle = "strongroom-stops 1 ";
constexpr std::size_t kMostFile = std::size_t{1} << 30;
constexpr std::int64_t kPage = 500;

std::unexpected<VaultProblem> Problem(std::string text) { return std::unexpected(VaultProblem{std::move(text)}); }

}  // namespace

std::expected<std::unique_ptr<Stops>, VaultProblem> Stops::Open(const std::string& path, std::string_view vault_id) {
  const std::string title = std::string(kTitle) + std::string(vault_id) + '\n';
  if (const auto there = base::OpenPrivate(path); !there) {
    if (there.error().code() != Code::kNotFound) return Problem(path + " was refused: " + there.error().Message());
    const auto made = base::WriteFileAtomic(path, title, 0600);
    if (!made) return Problem("cannot make " + path + ": " + made.error().Message());
  }
  const auto content = base::ReadFile(path, kMostFile);
  if (!content) return Problem("cannot read " + path + ": " + content.error().Message());
  std::unique_ptr<Stops> stops(new Stops(path, title));
  if (!stops->OpenFile()) return Problem("cannot open " + path + " for writing: errno " + std::to_string(errno));
  if (!content->starts_with(title)) return Problem(path + " is not of this vault: put the right file back, or move it away");
  const std::size_t whole = content->rfind('\n') + 1;
  std::string_view rest = std::string_view(*content).substr(0, whole);
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    if (number == 1 || stops->Take(line)) continue;
    return Problem(path + ", line " + std::to_string(number) + ", is not what vaultd wrote: put the file back, or move it away");
  }
  stops->size_ = static_cast<std::int64_t>(whole);
  if (whole == content->size()) return stops;
  if (ftruncate(stops->file_.get(), stops->size_) != 0) return Problem("cannot cut " + path + " behind its last whole line");
  base::Log(base::Level::kWarning, "stops_torn_line_cut", {{"path", path}});
  return stops;
}

bool Stops::OpenFile() {
  base::UniqueFd file(open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  struct stat opened {};
  if (!file.valid() || fstat(file.get(), &opened) != 0) return false;
  file_ = std::move(file);
  device_ = opened.st_dev;
  inode_ = opened.st_ino;
  return true;
}

bool Stops::Take(std::string_view text) {
  const auto line = ParseStopLine(text);
  if (!line || line->epoch < epoch_.load()) return false;
  epoch_ = line->epoch;
  if (line->stop) Keep(line->epoch, *line->stop);
  if (line->two_people) two_people_ = *line->two_people ? 1 : 0;
  return true;
}

void Stops::Keep(std::int64_t epoch, const Stop& stop) {
  const std::lock_guard lock(mutex_);
  Last& last = last_[stop.key_ref];
  last.epoch = epoch;
  last.row_version = std::max(last.row_version, stop.row_version);
  last.final = last.final || IsFinal(stop.state);
  last.compromised = last.compromised || stop.state == KeyState::kCompromised;
}

Result<void> Stops::Note(std::int64_t epoch, std::span<const Stop> stops, std::optional<bool> two_people) {
  epoch = std::max(epoch, epoch_.load());
  epoch_ = epoch;
  bool told = false;
  for (const Stop& stop : stops) {
    if (!IsRecordable(stop) || Knows(stop)) continue;
    Keep(epoch, stop);
    waiting_ += PrintStopLine({epoch, stop, {}}) + '\n';
    told = true;
  }
  if (two_people) two_people_ = *two_people ? 1 : 0;
  if (two_people || !told) waiting_ += PrintStopLine({epoch, {}, two_people}) + '\n';
  auto written = Write();
  if (written) {
    if (!healthy_.exchange(true)) base::Log(base::Level::kInfo, "stops_write_recovered");
  } else if (healthy_.exchange(false)) {
    base::LogError("stops_write_failed", written.error());
  }
  return written;
}

// Looked at before, lest a file without a name be written, and after, since it may have been replaced meanwhile.
Result<void> Stops::Write() {
  if (!InPlace()) return PutBack();
  TRY(Append());
  return InPlace() ? Result<void>() : PutBack();
}

// What an earlier write left behind the durable part is written over, whole lines again.
Result<void> Stops::Append() {
  std::string_view rest = waiting_;
  std::int64_t at = size_;
  while (!rest.empty()) {
    const ssize_t wrote = pwrite(file_.get(), rest.data(), rest.size(), at);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return Fail(Code::kUnavailable, "cannot write the file of stops: errno", errno);
    rest.remove_prefix(static_cast<std::size_t>(wrote));
    at += wrote;
  }
  if (fdatasync(file_.get()) != 0) return Fail(Code::kUnavailable, "cannot make the file of stops durable: errno", errno);
  size_ = at;
  waiting_.clear();
  return {};
}

// The open file keeps its number for as long as it is open: another with that number is no other. One that is shorter than what was
// written was written over in its place (`cp`).
bool Stops::InPlace() const {
  struct stat there {};
  if (lstat(path_.c_str(), &there) != 0) return false;
  return there.st_dev == device_.load() && there.st_ino == inode_.load() && there.st_size >= size_.load();
}

// The file that took its place may be somebody's better one (put back by hand, where vaultd had made a new one), so it is kept beside.
Result<void> Stops::PutBack() {
  const std::string aside = path_ + ".replaced";
  unlink(aside.c_str());
  const bool kept = link(path_.c_str(), aside.c_str()) == 0;
  const auto durable = ReadDurable();
  base::Log(base::Level::kError, "stops_file_replaced",
            {{"path", path_}, {"kept_as", kept ? aside : "-"}, {"put_back", durable ? "as it was" : "from memory"}});
  const std::string content = durable ? *durable + waiting_ : FromMemory();
  TRY(base::WriteFileAtomic(path_, content, 0600));
  if (!OpenFile()) return Fail(Code::kUnavailable, "cannot open the file of stops that was put back: errno", errno);
  size_ = std::ssize(content);
  waiting_.clear();
  return {};
}

// ReadDurable is what was written, by the descriptor, which holds it whatever became of the file's name; nullopt where it does not.
std::optional<std::string> Stops::ReadDurable() const {
  std::string content(static_cast<std::size_t>(size_.load()), '\0');
  std::size_t read = 0;
  while (read < content.size()) {
    const ssize_t got = pread(file_.get(), content.data() + read, content.size() - read, static_cast<off_t>(read));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    read += static_cast<std::size_t>(got);
  }
  if (!content.starts_with(title_) || !content.ends_with('\n')) return std::nullopt;
  return content;
}

// FromMemory is a file that says of each key what the lost one said, in a line or two.
std::string Stops::FromMemory() const {
  std::vector<StopLine> lines;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key_ref, last] : last_) {
      const KeyState state = last.compromised ? KeyState::kCompromised : last.final ? KeyState::kRevoked : KeyState::kSuspended;
      lines.push_back({last.epoch, Stop{key_ref, last.row_version, state}, {}});
    }
  }
  std::ranges::sort(lines, {}, &StopLine::epoch);
  if (epoch() > 0) lines.push_back({epoch(), {}, two_people()});
  std::string text = title_;
  for (const StopLine& line : lines) text += PrintStopLine(line) + '\n';
  return text;
}

bool Stops::Allows(const KeyRow& row) const {
  const std::lock_guard lock(mutex_);
  const auto found = last_.find(row.key_ref);
  if (found == last_.end()) return true;
  if (row.row_version < found->second.row_version) return false;
  if (!found->second.final) return true;
  const auto state = ParseState(row.status);
  return state && IsFinal(*state);
}

bool Stops::Knows(const Stop& stop) const {
  const std::lock_guard lock(mutex_);
  const auto found = last_.find(stop.key_ref);
  if (found == last_.end() || found->second.row_version < stop.row_version) return false;
  if (stop.state == KeyState::kCompromised) return found->second.compromised;
  return found->second.final || !IsFinal(stop.state);
}

bool Stops::IsFinalFor(const std::string& key_ref) const {
  const std::lock_guard lock(mutex_);
  const auto found = last_.find(key_ref);
  return found != last_.end() && found->second.final;
}

std::int64_t Stops::VersionOf(const std::string& key_ref) const {
  const std::lock_guard lock(mutex_);
  const auto found = last_.find(key_ref);
  return found == last_.end() ? 0 : found->second.row_version;
}

bool Stops::WasCompromised(const std::string& key_ref) const {
  const std::lock_guard lock(mutex_);
  const auto found = last_.find(key_ref);
  return found != last_.end() && found->second.compromised;
}

std::size_t Stops::keys() const {
  const std::lock_guard lock(mutex_);
  return last_.size();
}

namespace {

// A row that was edited to look stopped would otherwise bind its key to that for good, restored or not.
Result<void> FindUnnoted(const OpenVault& vault, Store& store, base::Micros since, std::vector<Stop>& found) {
  std::string after;
  while (true) {
    TRY_ASSIGN(const std::vector<KeyRow> rows, store.KeysChanged(since, after, kPage));
    for (const KeyRow& row : rows) {
      const auto state = ParseState(row.status);
      if (!state) continue;
      const Stop stop{row.key_ref, row.row_version, *state};
      // A stop that is noted at this version, or at a later one, says as much.
      if (vault.stops->VersionOf(stop.key_ref) >= stop.row_version || !IsRecordable(stop)) continue;
      if (IsDestroyed(row) || ProvenKey::Prove(vault, row)) found.push_back(stop);
    }
    if (std::ssize(rows) < kPage) return {};
    after = rows.back().key_ref;
  }
}

}  // namespace

Result<void> CatchUp(OpenVault& vault, Store& store, std::int64_t epoch, base::Micros since) {
  const base::Micros began = base::WallMicros();
  if (epoch < vault.stops->epoch()) {
    if (!vault.stops->older()) {
      base::Log(base::Level::kError, "database_older", {{"epoch", epoch}, {"epoch_noted", vault.stops->epoch()}});
    }
    vault.stops->MarkOlder();
    return {};
  }
  std::vector<Stop> found;
  TRY(FindUnnoted(vault, store, since, found));
  TRY(vault.trail_stops.Read(store, *vault.stops, vault.vault_id, epoch, began, found));
  // Yes is believed without a proof; no is not carried over: who said it is told by the file, or by nobody.
  TRY_ASSIGN(const std::optional<SwitchRow> demand, store.FindSwitch());
  std::optional<bool> two_people;
  if (demand && demand->on && vault.stops->two_people() != true) two_people = true;
  if (found.empty() && !two_people && epoch == vault.stops->epoch()) return {};
  return vault.stops->Note(epoch, found, two_people);
}

}  // namespace strongroom::vault
