// Trail: this home's log as outsiders know it: the name it signs under, and its anchor (audit/FORMAT.md, Checkpoints).
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "audit/anchor.h"
#include "audit/note.h"
#include "sql/database.h"
#include "vault/service.h"
#include "vault/vault_keys.h"

namespace strongroom::vault {

// The files of a home that hold its anchor, and that of the home it was put back from.
inline constexpr std::string_view kAnchorFile = "anchor", kOldAnchorFile = "anchor.before";

// OriginOf names the log of the home that made the vault, or that of a node which joined it.
std::string OriginOf(std::string_view vault_id, std::string_view joined_node = "");

// BeginAnchor makes the anchor of a home whose log begins; it returns the verifier key to publish.
Result<audit::VerifierKey> BeginAnchor(const std::string& home, const std::string& origin, ByteView public_key);

// Standing is how a database's trail stands to its anchor.
enum class Standing : std::uint8_t {
  kSound,    // the anchor's head is the trail's, or what it grew out of
  kMissing,  // there is no anchor
  kBehind,   // the trail is shorter than the anchor says
  kForked,   // it is long enough, and another
};

// Trail is what vaultd holds of it. Thread-safe.
class Trail {
 public:
  // Open reads the anchor and compares it with the database. A home that was put back, `restored`, gets a new origin, since the log of
  // the old one may have gone on elsewhere. `keys` signs as long as it holds keys, and must outlive the trail.
  static std::expected<std::unique_ptr<Trail>, VaultProblem> Open(const std::string& home, std::string_view vault_id,
                                                                  ByteView public_key, const HeldKeys& keys,
                                                                  sql::Database& database, bool restored);

  Standing standing() const { return standing_; }
  // What the log has to tell first: the records beyond the anchor (they were written, and nobody was told), and a new origin.
  struct Tail {
    std::int64_t from = 0, to = 0;  // seqs, both included
  };
  const std::optional<Tail>& recovered() const { return recovered_; }
  // before is the checkpoint of the origin that this one follows, "" where it is not known; nullopt where it follows none.
  const std::optional<std::string>& before() const { return before_; }

  const audit::VerifierKey& verifier() const { return verifier_; }
  // Keep is for the log's writer. Where the trail is not sound nothing is kept: nothing is released either.
  Result<void> Keep(const audit::Head& head);
  // SignNewest signs what is kept where that could not be done before; what fails is logged.
  void SignNewest();
  // NewestNote is the checkpoint that is kept, with its signature where there is one; "" where there is no anchor.
  std::string NewestNote() const { return anchor_ == nullptr ? std::string() : anchor_->newest_note(); }

 private:
  Trail(audit::VerifierKey verifier, Standing standing) : verifier_(std::move(verifier)), standing_(standing) {}

  const audit::VerifierKey verifier_;
  const Standing standing_;
  std::optional<Tail> recovered_;
  std::optional<std::string> before_;
  std::unique_ptr<audit::Anchor> anchor_;
};

}  // namespace strongroom::vault
