#include "vault/recovery.h"

#include <utility>

#include "vault/cipher.h"
#include "vault/digest.h"
#include "vault/operations.h"
#include "vault/sealed_box.h"
#include "vault/share_code.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kSetIdDomain = "strongroom/recovery-id/v1";
// Under the key that also makes profile MACs, from which these texts keep them apart.
constexpr std::string_view kSetDomain = "strongroom/recovery-set/v1", kKekDomain = "strongroom/recovery-kek/v1";

}  // namespace

std::string SetIdOf(ByteView public_key) {
  const Bytes digest = Sha256(base::ByteWriter().Field(kSetIdDomain).Field(public_key).bytes());
  return PrintSetId(std::span(digest).first<kLineBytes>());
}

Result<Bytes> RecoverySets::MacOf(const RecoverySetRow& row) const {
  base::ByteWriter writer;
  writer.Field(kSetDomain).Field(vault_id_).I64(row.number).Field(row.set_id).Field(row.public_key).I64(row.threshold);
  writer.Field(row.digests).Field(row.custodians).I64(row.created_at);
  return Cipher::Mac(keys_.profile_key->View(), writer.bytes());
}

Result<Bytes> RecoverySets::MacOf(const SealedKekRow& row) const {
  base::ByteWriter writer;
  writer.Field(kKekDomain).Field(vault_id_).I64(row.set_number).I64(row.kek_version).Field(row.sealed);
  return Cipher::Mac(keys_.profile_key->View(), writer.bytes());
}

Result<std::optional<RecoverySetRow>> RecoverySets::InForce() const {
  TRY_ASSIGN(std::vector<RecoverySetRow> sets, store_.ListRecoverySets());
  if (sets.empty()) return std::nullopt;
  TRY_ASSIGN(const Bytes mac, MacOf(sets.back()));
  if (!Cipher::Equal(mac, sets.back().vault_mac)) return Refuse(Refusal::kRecoveryTampered);
  return std::move(sets.back());
}

Result<void> RecoverySets::SealTo(const RecoverySetRow& set, std::int64_t version, const Kek& kek) const {
  SealedKekRow row;
  row.set_number = set.number;
  row.kek_version = version;
  auto sealed = SealedBox::SealTo(set.public_key, kek.View());
  if (!sealed && sealed.error().code() == Code::kInvalidArgument) return Refuse(Refusal::kFieldInvalid);
  if (!sealed) return std::unexpected(sealed.error());
  row.sealed = std::move(*sealed);
  TRY_ASSIGN(row.vault_mac, MacOf(row));
  return store_.InsertSealedKek(row);
}

Result<void> RecoverySets::Put(RecoverySetRow row) const {
  TRY_ASSIGN(row.vault_mac, MacOf(row));
  TRY(store_.InsertRecoverySet(row));
  for (const auto& [version, kek] : keys_.keyring.keks()) TRY(SealTo(row, version, *kek));
  return store_.EraseSealedKeks(row.number);
}

// A set is replaced, never taken away: where the trail saw one and there is none, somebody has deleted it.
Result<std::optional<RecoverySetRow>> RecoverySets::InForceOrNever() const {
  TRY_ASSIGN(auto set, InForce());
  if (set) return set;
  TRY_ASSIGN(const bool had_one, store_.HadRecoverySet());
  if (had_one) return Refuse(Refusal::kRecoveryTampered);
  return std::nullopt;
}

Result<void> RecoverySets::SealKek(std::int64_t version, const Kek& kek) const {
  TRY_ASSIGN(const auto set, InForceOrNever());
  if (!set) return {};
  return SealTo(*set, version, kek);
}

Result<void> RecoverySets::CheckSealed(std::int64_t version) const {
  TRY_ASSIGN(const auto set, InForceOrNever());
  if (!set) return {};
  TRY_ASSIGN(const std::vector<SealedKekRow> rows, store_.ListSealedKeks(set->number));
  for (const SealedKekRow& row : rows) {
    if (row.kek_version != version) continue;
    TRY_ASSIGN(const Bytes mac, MacOf(row));
    if (Cipher::Equal(mac, row.vault_mac)) return {};
    return Refuse(Refusal::kRecoveryTampered);
  }
  return Refuse(Refusal::kRecoveryMissing);
}

}  // namespace strongroom::vault
