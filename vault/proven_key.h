// ProvenKey: a row of KEY_VAULT whose facts have been proved. Nothing a row says (its state least of all) is believed
// before its wrap has opened in the very context the row states.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "vault/envelope.h"
#include "vault/protocol.h"
#include "vault/store.h"

namespace strongroom::vault {

struct OpenVault;
struct VaultKeys;

// IsDestroyed is true of a row that states DESTROYED and has no DEK. It needs no proof: without its DEK no key comes out
// of it, whoever erased it.
bool IsDestroyed(const KeyRow& row);

// VerifyRow is vault::Verify in the context that the row states, without a vault that is open: for a KEK that is brought
// back from elsewhere. It knows of no stops.
Result<void> VerifyRow(const Kek& kek, const std::string& vault_id, const KeyRow& row);

class ProvenKey {
 public:
  // Prove refuses with kKeyDestroyed where the row is destroyed, with kKeyTampered where it contradicts itself, is
  // older than its key's last stop (vault/stops.h) or its wrap does not open, and with kKekMissing, or kKekRetired, where its KEK is not
  // held. The vault must outlive the key.
  static Result<ProvenKey> Prove(const OpenVault& vault, KeyRow row);
  // Find is Prove of the stored row; where there is none, what RowGone says (vault/stop_unproven.h).
  static Result<ProvenKey> Find(const OpenVault& vault, Store& store, std::string_view key_ref);

  // Rewrapped is `row` with its DEK wrapped under the ACTIVE KEK and the next ROW_VERSION (the same while PENDING),
  // everything else as it is; the payload is not looked at and may be missing from it. kKeyTampered and kKekMissing as
  // for Prove.
  static Result<KeyRow> Rewrapped(const OpenVault& vault, const VaultKeys& keys, KeyRow row);

  // IsInForce is true where the vault holds the KEK this was proved under, and no stop came after it; IsProofOf where `row`
  // also is the proven row in every column.
  bool IsInForce(const OpenVault& vault) const;
  bool IsProofOf(const OpenVault& vault, const KeyRow& row) const { return row == row_ && IsInForce(vault); }

  const KeyRow& row() const { return row_; }
  const WrapContext& context() const { return context_; }
  KeyState state() const { return context_.state; }

  // CheckState refuses, by the state's own refusal, a key that may not go out at `now`.
  Result<void> CheckState(base::Micros now) const;
  // Open returns the key itself.
  Result<SecretValue> Open() const { return vault::Open(*kek_, context_, row_.sealed); }

  // Write moves the row to `state` at `now`: the DEK is wrapped anew under the ACTIVE KEK for the row as it will be, and
  // the row is swapped in by its ROW_VERSION (kConflict). This object is then the new row.
  Result<void> Write(const OpenVault& vault, Store& store, KeyState state, std::optional<base::Micros> grace_until,
                     base::Micros now);
  // WriteLimit is Write without a change of state, of the account's limit.
  Result<void> WriteLimit(const OpenVault& vault, Store& store, const AccountLimit& limit);
  // Touch is Write without a change of state, noting a use.
  Result<void> Touch(const OpenVault& vault, Store& store, base::Micros used_at);

 private:
  ProvenKey(KeyRow row, WrapContext context, std::shared_ptr<const Kek> kek)
      : row_(std::move(row)), context_(std::move(context)), kek_(std::move(kek)) {}
  Result<void> Rewrite(const OpenVault& vault, Store& store, KeyRow row);

  KeyRow row_;
  WrapContext context_;
  std::shared_ptr<const Kek> kek_;
};

}  // namespace strongroom::vault
