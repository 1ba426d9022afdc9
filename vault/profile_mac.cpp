#include "vault/profile_mac.h"

#include "vault/cipher.h"
#include "vault/open_vault.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kDomain = "strongroom/profile/v2";

}  // namespace

Result<Bytes> ProfileMac(const MacKey& key, std::string_view vault_id, const BoundProfile& row) {
  TRY_ASSIGN(const Origin origin, Origin::OfEndpoint(row.endpoint));
  base::ByteWriter writer;
  writer.Field(kDomain)
      .Field(vault_id)
      .Field(row.profile_ref)
      .Field(row.customer)
      .Field(row.mode)
      .Field(row.provider)
      .Field(origin.text())
      .U8(row.key_ref.has_value() ? 1 : 0);
  if (row.key_ref) writer.Field(*row.key_ref);
  writer.Field(row.status);
  for (const auto& number : {row.rpm, row.tpm, row.quota, row.over_quota_until}) {
    writer.U8(number.has_value() ? 1 : 0);
    if (number) writer.I64(*number);
  }
  return Cipher::Mac(key.View(), writer.bytes());
}

Result<void> VerifyProfile(const MacKey& key, std::string_view vault_id, const BoundProfile& row) {
  const auto mac = ProfileMac(key, vault_id, row);
  if (mac && Cipher::Equal(*mac, row.vault_mac)) return {};
  return Refuse(Refusal::kProfileTampered);
}

Result<void> SignProfile(const OpenVault& vault, BoundProfile& row) {
  TRY_ASSIGN(const auto keys, vault.Keys());
  TRY_ASSIGN(row.vault_mac, ProfileMac(*keys->profile_key, vault.vault_id, row));
  return {};
}

Result<void> CheckIntact(const OpenVault& vault, const BoundProfile& row) {
  TRY_ASSIGN(const auto keys, vault.Keys());
  return VerifyProfile(*keys->profile_key, vault.vault_id, row);
}

Result<ProvenProfile> ProvenProfile::Prove(const OpenVault& vault, BoundProfile row) {
  TRY_ASSIGN(const auto keys, vault.Keys());
  TRY(VerifyProfile(*keys->profile_key, vault.vault_id, row));
  auto origin = Origin::OfEndpoint(row.endpoint);
  if (!origin) return Refuse(Refusal::kProfileTampered);
  return ProvenProfile(std::move(row), std::move(*origin), keys->profile_key);
}

bool ProvenProfile::IsInForce(const OpenVault& vault) const {
  const auto keys = vault.held.Get();
  return keys != nullptr && keys->profile_key == key_;
}

}  // namespace strongroom::vault
