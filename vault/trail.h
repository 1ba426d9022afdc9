// Trail: this home's log as outsiders know it: the name it signs under, and its anchor (audit/FORMAT.md, Checkpoints).
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "audit/anchor.h"
#include "audit/note.h"
#include "base/config.h"
#include "sql/database.h"
#include "vault/service.h"
#include "vault/vault_keys.h"

namespace strongroom::vault {

// The newest checkpoint in the directory of published ones; others are this and a suffix.
inline constexpr std::string_view kNewestCheckpoint = "checkpoint";
// The files of a home that hold its anchor, and that of the home it was put back from.
inline constexpr std::string_view kAnchorFile = "anchor", kOldAnchorFile = "anchor.before";

// OriginOf names the log of the home that made the vault, or that of a node which joined it.
std::string OriginOf(std::string_view organization, std::string_view vault_id, std::string_view joined_node = "");

// BeginAnchor makes the anchor of a home whose log begins; it returns the verifier key to publish.
Result<audit::VerifierKey> BeginAnchor(const std::string& home, const std::string& origin, ByteView public_key);

// Standing is how a database's trail stands to its anchor.
enum class Standing : std::uint8_t {
  kSound,    // the anchor's head is the trail's, or what it grew out of
  kMissing,  // there is no anchor
  kBehind,   // the trail is shorter than the anchor says
  kForked,   // it is long enough, and another
  kForged,   // the anchor is signed, and not by this vault; or it tells nothing
};
// StandingName is "sound", "missing", "behind", "forked" or "forged".
std::string_view StandingName(Standing standing);

// Trail is what vaultd holds of it. Thread-safe.
class Trail {
 public:
  // Open reads the anchor and compares it with the database. A home that was put back, `restored`, gets a new origin, since the log of
  // the old one may have gone on elsewhere. `keys` signs as long as it holds keys; it and `config` must outlive the trail.
  static std::expected<std::unique_ptr<Trail>, VaultProblem> Open(const base::Config& config, std::string_view vault_id,
                                                                  ByteView public_key, const HeldKeys& keys,
                                                                  sql::Database& database, bool restored);

  Standing standing() const { return standing_.load(); }
  // What the log has to tell first: the records beyond the anchor (they were written, and nobody was told), and a new origin.
  struct Tail {
    std::int64_t from = 0, to = 0;  // seqs, both included
  };
  const std::optional<Tail>& recovered() const { return recovered_; }
  // before is the checkpoint of the origin that this one follows, "" where it is not known; nullopt where it follows none.
  const std::optional<std::string>& before() const { return before_; }

  // verifier is the log's name with the key that signs it; while the vault is sealed, with the one that was known last.
  audit::VerifierKey verifier() const;
  // Rename makes the anchor anew, under a name that no other log had, with the head that the trail has now: for a database that is
  // not the newest, or not its anchor's, taken as it is. `name` is OriginOf's. The anchor that was there is kept as kOldAnchorFile, and one that is
  // there already under that and a number. The log's writer alone.
  Result<void> Rename(const audit::VerifierKey& name, const audit::Head& head);
  // Successor is a name that no other log of this vault has had, with the vault's key; kNotFound while it is sealed.
  Result<audit::VerifierKey> Successor() const;
  // Keep is for the log's writer. Where the trail is not sound nothing is kept: nothing is released either.
  Result<void> Keep(const audit::Head& head);
  // KeepSigned has the newest head signed where it is not and can be by now.
  Result<void> KeepSigned();
  // SignAgain is for other keys than those that signed the newest head.
  Result<void> SignAgain();
  // size is the number of records under the newest checkpoint.
  std::int64_t size() const { return size_.load(); }
  // NewestNote is the checkpoint that is kept, with its signature where there is one; "" where the trail is not sound.
  std::string NewestNote() const;

 private:
  Trail(const base::Config& config, std::string_view vault_id, const HeldKeys& keys, audit::VerifierKey verifier, Standing standing)
      : config_(config), vault_id_(vault_id), keys_(keys), standing_(standing), verifier_(std::move(verifier)) {}

  // Sound is the anchor of a trail that is sound, else nullptr.
  std::shared_ptr<audit::Anchor> Sound() const;

  const base::Config& config_;
  const std::string vault_id_;
  const HeldKeys& keys_;
  std::atomic<Standing> standing_;
  mutable std::mutex mutex_;  // guards verifier_ and anchor_
  audit::VerifierKey verifier_;  // as it was at the start, or at the last Rename
  std::optional<Tail> recovered_;
  std::optional<std::string> before_;
  std::shared_ptr<audit::Anchor> anchor_;
  std::atomic<std::int64_t> size_{0};
};

}  // namespace strongroom::vault
