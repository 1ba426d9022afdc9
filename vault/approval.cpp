#include "vault/approval.h"

#include "vault/cipher.h"
#include "vault/digest.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kApprovalDomain = "strongroom/approval/v1";
constexpr std::string_view kSwitchDomain = "strongroom/two-people/v1";

Result<void> Compare(const Result<Bytes>& mac, ByteView stored) {
  if (mac && Cipher::Equal(*mac, stored)) return {};
  return Refuse(Refusal::kApprovalTampered);
}

}  // namespace

Bytes ActDigest(Operation operation, ByteView body) {
  base::ByteWriter writer;
  writer.U8(static_cast<std::uint8_t>(operation)).Raw(body);
  return Sha256(writer.bytes());
}

Result<Bytes> ApprovalMac(const MacKey& key, std::string_view vault_id, const ApprovalRow& row) {
  base::ByteWriter writer;
  writer.Field(kApprovalDomain)
      .Field(vault_id)
      .Field(row.approval_id)
      .I64(row.operation)
      .Field(row.digest)
      .Field(row.act)
      .Field(row.reason)
      .I64(row.author_uid)
      .Field(row.author)
      .I64(row.proposed_at)
      .I64(row.expires_at)
      .Field(row.status)
      .U8(row.decider_uid ? 1 : 0);
  if (row.decider_uid) writer.I64(*row.decider_uid).Field(row.decider).I64(row.decided_at);
  return Cipher::Mac(key.View(), writer.bytes());
}

Result<void> VerifyApproval(const MacKey& key, std::string_view vault_id, const ApprovalRow& row) {
  return Compare(ApprovalMac(key, vault_id, row), row.mac);
}

Result<Bytes> SwitchMac(const MacKey& key, std::string_view vault_id, const SwitchRow& row) {
  base::ByteWriter writer;
  writer.Field(kSwitchDomain).Field(vault_id).U8(row.on ? 1 : 0).I64(row.changed_at);
  return Cipher::Mac(key.View(), writer.bytes());
}

Result<void> VerifySwitch(const MacKey& key, std::string_view vault_id, const SwitchRow& row) {
  return Compare(SwitchMac(key, vault_id, row), row.mac);
}

}  // namespace strongroom::vault
