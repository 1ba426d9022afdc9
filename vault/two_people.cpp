#include "vault/two_people.h"

#include <utility>

namespace strongroom::vault {
namespace {

constexpr std::string_view kApprovalFact = "approval";

// Whoever can write the database can put a used row back as it was. The record of its use is in the chain of the trail.
Result<bool> WasUsed(Store& store, std::string_view action, const ApprovalRow& row) {
  bool used = false;
  TRY(store.EachAct(action, row.proposed_at, [&](const audit::Entry& entry) {
    if (!entry.draft.after) return;
    const auto fact = entry.draft.after->find(std::string(kApprovalFact));
    used = used || (fact != entry.draft.after->end() && fact->second == row.approval_id);
  }));
  return used;
}

}  // namespace

Result<bool> TwoPeopleDemanded(const OpenVault& vault, Store& store) {
  if (vault.stops->two_people() == true) return true;
  TRY_ASSIGN(const std::optional<SwitchRow> row, store.FindSwitch());
  if (!row) return false;
  if (row->on) return true;
  TRY_ASSIGN(const auto keys, vault.Keys());
  TRY(VerifySwitch(*keys->approval_key, vault.vault_id, *row));
  return false;
}

Result<void> RefuseRoot(std::int64_t uid) {
  if (uid == 0) return Refuse(Refusal::kRootExcluded);
  return {};
}

Result<ApprovalRow> FindApproved(const OpenVault& vault, Store& store, const OperationRow& operation, ByteView digest,
                                 std::int64_t actor, base::Micros now) {
  TRY(RefuseRoot(actor));
  TRY_ASSIGN(std::optional<ApprovalRow> row, store.FindApprovalOf(digest, actor, now));
  if (!row) return Refuse(Refusal::kTwoPeople);
  TRY_ASSIGN(const auto keys, vault.Keys());
  TRY(VerifyApproval(*keys->approval_key, vault.vault_id, *row));
  if (row->status == kDenied) return Refuse(Refusal::kApprovalDenied);
  if (row->status != kApproved) return Refuse(Refusal::kTwoPeople);
  TRY_ASSIGN(const bool used, WasUsed(store, operation.action, *row));
  if (used) return Refuse(Refusal::kApprovalTampered);
  return std::move(*row);
}

Result<void> UseApproval(const OpenVault& vault, Store& store, ApprovalRow row, audit::Draft& record) {
  TRY_ASSIGN(const auto keys, vault.Keys());
  row.status = kPerformed;
  TRY_ASSIGN(row.mac, ApprovalMac(*keys->approval_key, vault.vault_id, row));
  TRY(store.UpdateApproval(row, kApproved));
  audit::Facts facts = record.after.value_or(audit::Facts{});
  facts[std::string(kApprovalFact)] = row.approval_id;
  facts["approved_by"] = row.decider;
  facts["approved_by_uid"] = std::to_string(row.decider_uid.value_or(-1));
  record.after = std::move(facts);
  return {};
}

}  // namespace strongroom::vault
