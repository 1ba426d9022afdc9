// ProfileMac: what makes a row of AI_PROFILE the vault's own word. It covers what decides whose key goes where; the
// rest of the row (model, limits, prompt, STATUS) can be edited in the database without a key going astray.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "vault/secret.h"
#include "vault/store.h"

namespace strongroom::vault {

// ProfileMac is HMAC-SHA-256 over length-prefixed fields: domain, vault id, PROFILE_REF, CUSTOMER, MODE, PROVIDER, the
// ENDPOINT's origin, and KEY_REF or its absence. kInvalidArgument where ENDPOINT is no endpoint.
Result<Bytes> ProfileMac(const MacKey& key, std::string_view vault_id, const ProfileRow& row);

// VerifyProfile refuses with kProfileTampered unless VAULT_MAC is the row's own, compared in constant time.
Result<void> VerifyProfile(const MacKey& key, std::string_view vault_id, const ProfileRow& row);

}  // namespace strongroom::vault
