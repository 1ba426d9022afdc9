// Stops: what vaultd remembers outside its database, so that an older row, or an older database, is not believed.
//
// A row of KEY_VAULT proves that vaultd wrote it, not that it is the newest that vaultd wrote: whoever can write the
// database can copy the row of a key as it was before its revoke back over the row as it is, wrap and all. So each act
// that moves the epoch is in the file `stops` of the home, durable, before it is acknowledged: its epoch, and the key it
// stopped with the ROW_VERSION and STATUS it then had. From that:
// - A row is refused (KEY_TAMPERED) whose ROW_VERSION is below that of its key's last stop: ROW_VERSION is bound into the
//   wrap, and only vaultd, which adds one each time, can wrap for a higher one.
// - Once a stop was final (REVOKED, COMPROMISED, DESTROYED), a row is refused that says anything else, at whatever
//   ROW_VERSION: nothing leads back from there. So it does not help to have an old row go on (a KEK rotation) until its
//   number has caught up; and such a row is not rewrapped at all.
// - A database whose epoch is below the file's newest is an older one: nothing is released and no act is done
//   (DATABASE_OLDER), lest its epoch grow past the file's. The epoch itself is a plain number in the database: who sets it
//   by hand passes this test, and not the two above.
// - Once two people were demanded, they are until a line says that two people ended it, whatever the database says.
// What the file cannot tell: that it was itself put back or taken away while vaultd was down. It is vaultd's own (0600), as the
// KEK is; a missing one is made anew from what the database says is stopped, its rows and its trail. One that is replaced
// while vaultd runs (an editor, a copy, a restore of the file make another one of that name) is put back, whole, before an act
// is acknowledged: what is written into a file that has no name any more is lost at the next start.
//
// The format is in vault/PROTOCOL.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/files.h"
#include "base/result.h"
#include "vault/service.h"
#include "vault/stop_line.h"
#include "vault/store.h"

namespace strongroom::vault {

struct OpenVault;

class Stops {
 public:
  // Open reads the file, or makes it for this vault. A last line without its end was not acknowledged and is cut off; a
  // file that is otherwise not what vaultd writes, or another vault's, is a problem.
  static std::expected<std::unique_ptr<Stops>, VaultProblem> Open(const std::string& path, std::string_view vault_id);
  Stops(const Stops&) = delete;
  Stops& operator=(const Stops&) = delete;

  // Note adds what an act did; it is durable, and in the file of that name, on return. Where it fails (kUnavailable) it counts in this process all the
  // same, and is written with the next. The writer's thread alone, or before that one runs.
  Result<void> Note(std::int64_t epoch, std::span<const Stop> stops, std::optional<bool> two_people = std::nullopt);

  // Allows is false for a row that is older than its key's last stop. Any thread.
  bool Allows(const KeyRow& row) const;
  // VersionOf is the ROW_VERSION of the key's last stop, 0 where there is none.
  std::int64_t VersionOf(const std::string& key_ref) const;
  // Knows is whether a stop says nothing that was not noted before.
  bool Knows(const Stop& stop) const;
  // IsFinalFor is whether a stop of the key was final.
  bool IsFinalFor(const std::string& key_ref) const;
  // WasCompromised is whether a stop of the key was that it leaked, whatever became of it since.
  bool WasCompromised(const std::string& key_ref) const;
  std::size_t keys() const;

  // epoch is the newest that was noted.
  std::int64_t epoch() const { return epoch_.load(); }
  // older is true once the database was found to be behind the file, or its trail not its anchor's, until vaultd stops or people take
  // it as it is.
  bool older() const { return older_.load(); }
  void MarkOlder() { older_.store(true); }
  void TakeAsIs() { older_.store(false); }
  // two_people is the last word on whether two people are demanded (vault/two_people.h); nullopt where none was said.
  std::optional<bool> two_people() const {
    const int said = two_people_.load();
    return said < 0 ? std::nullopt : std::optional(said == 1);
  }
  // healthy is false from the first failed write until the next good one, and while another file, or none, is in the place of
  // the one that is written. Any thread.
  bool healthy() const { return healthy_.load() && InPlace(); }

 private:
  struct Last {
    std::int64_t row_version = 0, epoch = 0;
    bool final = false, compromised = false;
  };

  Stops(std::string path, std::string title) : path_(std::move(path)), title_(std::move(title)) {}
  // OpenFile opens what is at the path for writing, and is false, with errno, where that fails.
  bool OpenFile();
  bool Take(std::string_view text);
  void Keep(std::int64_t epoch, const Stop& stop);
  Result<void> Write();
  Result<void> Append();
  bool InPlace() const;
  Result<void> PutBack();
  std::optional<std::string> ReadDurable() const;
  std::string FromMemory() const;

  const std::string path_, title_;
  base::UniqueFd file_;
  std::atomic<std::uint64_t> device_{0}, inode_{0};  // of file_
  std::atomic<std::int64_t> size_{0};  // of the file as far as it is durable
  std::string waiting_;    // lines behind that
  std::atomic<std::int64_t> epoch_{0};
  std::atomic<bool> older_{false};
  std::atomic<int> two_people_{-1};
  std::atomic<bool> healthy_{true};
  mutable std::mutex mutex_;  // guards last_
  std::unordered_map<std::string, Last> last_;
};

// CatchUp compares the database with the file: one that is older is marked as such; what it has stopped and the file lacks
// is noted, where its row proves or is destroyed, or where the trail's record says so (vault/trail_stops.h), whatever became of the
// row. `since` leaves out rows that changed before that (vault time).
Result<void> CatchUp(OpenVault& vault, Store& store, std::int64_t epoch,
                     base::Micros since = std::numeric_limits<base::Micros>::min());

}  // namespace strongroom::vault
