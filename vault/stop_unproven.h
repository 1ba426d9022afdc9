// Stopping a key whose row does not prove: to stop it must be possible whatever became of the row.
#pragma once

#include <cstdint>
#include <string>

#include "audit/record.h"
#include "base/clock.h"
#include "base/result.h"
#include "vault/key_state.h"
#include "vault/refusal.h"
#include "vault/stop_line.h"
#include "vault/store.h"

namespace strongroom::vault {

struct OpenVault;

// IsUnproven is true of the errors of ProvenKey that say so: the row was changed, or its KEK is not there.
bool IsUnproven(const Error& error);

// StopUnproven sets the STATUS of a row that does not open, or whose KEK is not there to wrap it again: it will not open in the new state either,
// but whoever restores the wrap later finds the key stopped. The result is its ROW_VERSION; kKeyMoveForbidden where the row states a final state.
Result<std::int64_t> StopUnproven(const OpenVault& vault, Store& store, KeyRow row, KeyState to, base::Micros now);

// WriteUnwrapped writes a row that cannot be wrapped for its new state, and returns its ROW_VERSION: beyond that of any
// stop before, so that no row that vaultd wrapped since then is as new.
Result<std::int64_t> WriteUnwrapped(const OpenVault& vault, Store& store, KeyRow row, KeyState to, base::Micros now);

// RowGone is the refusal of a KEY_REF that has no row: kKeyTampered where the trail, a profile or the file of stops knows such a key, since no act deletes
// a row; otherwise kKeyUnknown.
Result<Refusal> RowGone(const OpenVault& vault, Store& store, const std::string& key_ref);

// StopGone is the final stop of such a key, for the file of stops alone: its row is not believed when it is put back. It tells the record. kKeyUnknown
// and kKeyTampered (for another state than REVOKED and COMPROMISED) as said.
Result<Stop> StopGone(const OpenVault& vault, Store& store, const std::string& key_ref, KeyState to, audit::Draft& record);

}  // namespace strongroom::vault
