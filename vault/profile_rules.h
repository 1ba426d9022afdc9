// The rules of a profile: how an admin's fields become a row, and what must hold before the vault puts its MAC on it.
#pragma once

#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "vault/open_vault.h"
#include "vault/protocol.h"
#include "vault/store.h"

namespace strongroom::vault {

// NewProfile is a row of defaults for a profile that is not there yet: ACTIVE, mode B, PROFILE_NAME = PROFILE_REF.
ProfileRow NewProfile(const ProfileFields& fields, base::Micros now);

// ApplyFields puts the fields that are set over the row, identity (customer, mode, provider) included. An empty text
// clears one that may be absent; so do 0 in a limit and −1 in the temperature. A quota that is raised makes an OVER_QUOTA row ACTIVE: where that
// too is spent, the next request tells.
void ApplyFields(const ProfileFields& fields, ProfileRow& row);

// Binding says whether an act changes what the MAC covers. Limits may be set while the key is suspended; a profile is
// only pointed at a key that could go out now.
enum class Binding : std::uint8_t { kKept, kNew };

// SealProfile checks the whole row's form and, for a new binding, that its key is proved, this customer's or hosted, of
// this provider, usable, and sealed to the endpoint's origin. Then it puts VAULT_MAC on the row.
Result<void> SealProfile(const OpenVault& vault, Store& store, base::Micros now, Binding binding, ProfileRow& row);

// LeaveOverQuota makes the row ACTIVE, and ends its wait for another month; its MAC is the caller's.
void LeaveOverQuota(ProfileRow& row);

// WriteMoved writes a row whose STATUS was moved, under a MAC of its own where it was `intact`. One that was not gets none, and so releases
// nothing as before; but TERMINATED, which releases nothing for good, is the vault's word again.
Result<void> WriteMoved(const OpenVault& vault, Store& store, ProfileRow& row, bool intact, base::Micros now);

}  // namespace strongroom::vault
