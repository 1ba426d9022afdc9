// ProfileMac: what makes a row of AI_PROFILE the vault's own word. It covers what decides whose key goes where, and
// whether and how much of it (STATUS, limits, quota); the rest of the row (model, prompt) can be edited in the database without a key going astray.
#pragma once

#include <memory>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "vault/origin.h"
#include "vault/secret.h"
#include "vault/store.h"

namespace strongroom::vault {

// ProfileMac is HMAC-SHA-256 over length-prefixed fields: domain, vault id, PROFILE_REF, CUSTOMER, MODE, PROVIDER, the
// ENDPOINT's origin, KEY_REF or its absence, STATUS, and RPM, TPM, quota and OVER_QUOTA_UNTIL or their absence. kInvalidArgument where ENDPOINT is no endpoint.
Result<Bytes> ProfileMac(const MacKey& key, std::string_view vault_id, const BoundProfile& row);

// VerifyProfile refuses with kProfileTampered unless VAULT_MAC is the row's own, compared in constant time.
Result<void> VerifyProfile(const MacKey& key, std::string_view vault_id, const BoundProfile& row);

struct OpenVault;

// SignProfile puts the vault's own MAC on the row as it is.
Result<void> SignProfile(const OpenVault& vault, BoundProfile& row);
// CheckIntact is VerifyProfile with the vault's own key.
Result<void> CheckIntact(const OpenVault& vault, const BoundProfile& row);

// ProvenProfile is a row whose VAULT_MAC was verified.
class ProvenProfile {
 public:
  // Prove is VerifyProfile with the vault's own key.
  static Result<ProvenProfile> Prove(const OpenVault& vault, BoundProfile row);

  // IsInForce is true where the vault holds the key this was proved with; IsProofOf where `row` also is the proven row.
  bool IsInForce(const OpenVault& vault) const;
  bool IsProofOf(const OpenVault& vault, const BoundProfile& row) const { return row == row_ && IsInForce(vault); }

  const BoundProfile& row() const { return row_; }
  // origin is the ENDPOINT's.
  const Origin& origin() const { return origin_; }

 private:
  ProvenProfile(BoundProfile row, Origin origin, std::shared_ptr<const MacKey> key)
      : row_(std::move(row)), origin_(std::move(origin)), key_(std::move(key)) {}

  BoundProfile row_;
  Origin origin_;
  std::shared_ptr<const MacKey> key_;
};

}  // namespace strongroom::vault
