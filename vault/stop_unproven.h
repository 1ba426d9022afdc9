// Stopping a key whose row does not prove: to stop it must be possible whatever became of the row.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/result.h"
#include "vault/key_state.h"
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

}  // namespace strongroom::vault
