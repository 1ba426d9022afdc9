#include "vault/stop_unproven.h"

#include <algorithm>
#include <limits>
#include <utility>

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

}  // namespace strongroom::vault
