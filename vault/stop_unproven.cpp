#include "vault/stop_unproven.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "vault/key_ref.h"
#include "vault/open_vault.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

// Final as the row states it: no move leads on from here, proved or not.
bool StatedFinal(const KeyRow& row) {
  const auto stated = ParseState(row.status);
  return stated && (*stated == KeyState::kCompromised || *stated == KeyState::kDestroyed);
}

}  // namespace

bool IsUnproven(const Error& error) {
  using enum Refusal;
  const Refusal why = RefusalOf(error);
  return why == kKeyTampered || why == kKekMissing || why == kKekRetired;
}

Result<std::int64_t> StopUnproven(const OpenVault& vault, Store& store, KeyRow row, KeyState to, base::Micros now) {
  if (StatedFinal(row)) return Refuse(Refusal::kKeyMoveForbidden);
  row.revoked_at = row.revoked_at.value_or(now);
  return WriteUnwrapped(vault, store, std::move(row), to, now);
}

Result<std::int64_t> WriteUnwrapped(const OpenVault& vault, Store& store, KeyRow row, KeyState to, base::Micros now) {
  const std::int64_t expected = row.row_version;
  const std::int64_t last = std::max(expected, vault.stops->VersionOf(row.key_ref));
  if (last == std::numeric_limits<std::int64_t>::max()) return Refuse(Refusal::kKeyTampered);
  row.status = StateName(to);
  row.row_version = last + 1;
  row.state_changed_at = now;
  TRY(store.UpdateKey(row, expected));
  return row.row_version;
}

Result<Refusal> RowGone(const OpenVault& vault, Store& store, const std::string& key_ref) {
  if (!KeyRef::Parse(key_ref)) return Refusal::kKeyUnknown;
  if (vault.stops->VersionOf(key_ref) > 0) return Refusal::kKeyTampered;
  TRY_ASSIGN(const bool was_held, store.WasHeld(key_ref));
  if (was_held) return Refusal::kKeyTampered;
  // Records may have been pruned.
  TRY_ASSIGN(const std::vector<ProfileRow> profiles, store.ProfilesOfKey(key_ref));
  return profiles.empty() ? Refusal::kKeyUnknown : Refusal::kKeyTampered;
}

Result<Stop> StopGone(const OpenVault& vault, Store& store, const std::string& key_ref, KeyState to, audit::Draft& record) {
  TRY_ASSIGN(const Refusal gone, RowGone(vault, store, key_ref));
  if (gone == Refusal::kKeyUnknown) return Refuse(gone);
  TRY_ASSIGN(const KeyRef ref, KeyRef::Parse(key_ref));
  record.customer = ref.customer();
  record.key_version = ref.version();
  record.before = audit::Facts{{"row", "gone"}};
  if (to != KeyState::kRevoked && to != KeyState::kCompromised) return Refuse(gone);
  if (vault.stops->WasCompromised(key_ref)) return Refuse(Refusal::kKeyMoveForbidden);
  if (record.after) (*record.after)["unproven"] = RefusalName(gone);
  return Stop{key_ref, std::max<std::int64_t>(vault.stops->VersionOf(key_ref), 1), to};
}

}  // namespace strongroom::vault
