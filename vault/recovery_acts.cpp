// PutRecovery brings a recovery key into force; FinishRestore ends a quarantine; NoteRecovery writes into the trail what was
// done beside vaultd.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"
#include "vault/field_rules.h"
#include "vault/node_keks.h"
#include "vault/operations.h"
#include "vault/recovery.h"
#include "vault/sealed_box.h"
#include "vault/shares.h"

namespace strongroom::vault {
namespace {

constexpr std::size_t kMostFacts = 500;
constexpr std::int64_t kMostSets = 1'000'000;

// RowOf turns what the ceremony says into a row; kFieldInvalid where no ceremony of ours says so.
Result<RecoverySetRow> RowOf(const PutRecoveryRequest& request) {
  RecoverySetRow row;
  const auto key = base::Unhex(request.public_key);
  if (!key || key->size() != SealedBox::kKeyBytes) return Refuse(Refusal::kFieldInvalid);
  row.public_key = *key;
  row.set_id = SetIdOf(row.public_key);
  const auto shares = std::ssize(request.digests);
  if (request.threshold < kLeastThreshold || request.threshold > shares || shares > kMostShares) {
    return Refuse(Refusal::kFieldInvalid);
  }
  row.threshold = request.threshold;
  for (const std::string& digest : request.digests) {
    const auto bytes = base::Unhex(digest);
    if (!bytes || bytes->size() != kDigestBytes) return Refuse(Refusal::kFieldInvalid);
    row.digests.insert(row.digests.end(), bytes->begin(), bytes->end());
  }
  const auto lines = std::count(request.custodians.begin(), request.custodians.end(), '\n');
  const std::size_t most = static_cast<std::size_t>(shares) * (kMostCustodian + 1);
  const bool named = request.custodians.empty() || IsText(request.custodians, most, Lines::kMany);
  if (!named || (lines != 0 && lines != shares - 1)) return Refuse(Refusal::kFieldInvalid);
  row.custodians = request.custodians;
  return row;
}

class PutRecovery final : public Act {
 public:
  PutRecovery(OpenVault& vault, PutRecoveryRequest request) : vault_(vault), request_(std::move(request)) {}

  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override {
    TRY(TakeReason(request_.reason, record));
    TRY_ASSIGN(RecoverySetRow row, RowOf(request_));
    TRY_ASSIGN(const auto keys, vault_.Keys());
    // What is not held could not be sealed to the new set, and what was sealed to the set before goes.
    TRY(CheckHoldsAll(store, *keys));
    // The set before may have been edited: a new one is what mends that.
    TRY_ASSIGN(const std::vector<RecoverySetRow> sets, store.ListRecoverySets());
    const std::string before = sets.empty() ? "" : sets.back().set_id;
    if (!sets.empty() && sets.back().number >= kMostSets) return Refuse(Refusal::kRecoveryTampered);
    row.number = sets.empty() ? 1 : sets.back().number + 1;
    row.created_at = now;
    TRY(RecoverySets(vault_.vault_id, *keys, store).Put(row));
    Describe(row, before, *keys);
    if (!before.empty()) record.before = audit::Facts{{"set_id", before}};
    record.after = audit::Facts{{"set_id", row.set_id},
                                {"shares", std::to_string(request_.digests.size())},
                                {"threshold", std::to_string(row.threshold)},
                                {"kek_versions", VersionsOf(keys->keyring)}};
    return {};
  }
  Reply Answer(audit::Receipt&) override { return Reply(EncodeText(answer_)); }

 private:
  void Describe(const RecoverySetRow& row, const std::string& before, const VaultKeys& keys) {
    nlohmann::ordered_json json;
    json["set_id"] = row.set_id;
    json["shares"] = request_.digests.size();
    json["threshold"] = row.threshold;
    json["kek_versions"] = nlohmann::ordered_json::array();
    for (const auto& [version, kek] : keys.keyring.keks()) json["kek_versions"].push_back(version);
    json["replaces"] = before.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(before);
    answer_ = json.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace);
  }

  OpenVault& vault_;
  const PutRecoveryRequest request_;
  std::string answer_;
};

// The quarantine ends once the record is durable. Killed in between, it goes on, and whoever asks again ends it.
class FinishRestore final : public Act {
 public:
  FinishRestore(OpenVault& vault, NoteRecoveryRequest request) : vault_(vault), request_(std::move(request)) {}

  Result<void> Decide(Store& store, base::Micros, audit::Draft& record) override {
    TRY(TakeReason(request_.reason, record));
    if (request_.act != "finished" || !IsText(request_.facts, kMostFacts)) return Refuse(Refusal::kFieldInvalid);
    if (!vault_.quarantine->in_force()) return Refuse(Refusal::kNotQuarantined);
    const Manifest& backup = *vault_.quarantine->backup();
    record.after = audit::Facts{{"facts", request_.facts},
                                {"backup_made_at", base::FormatTime(backup.made_at)},
                                {"backup_epoch", std::to_string(backup.epoch)},
                                {"backup_record", std::to_string(backup.record)}};
    // Whoever kept something from before the restore asks anew.
    TRY_ASSIGN(new_epoch, store.MoveEpoch());
    return {};
  }
  Reply Answer(audit::Receipt&) override {
    const auto lifted = vault_.quarantine->Lift();
    if (!lifted) base::LogError("quarantine_not_lifted", lifted.error());
    return Reply(EncodeText(lifted ? "lifted" : "kept"));
  }

 private:
  OpenVault& vault_;
  const NoteRecoveryRequest request_;
};

class NoteRecovery final : public Act {
 public:
  explicit NoteRecovery(NoteRecoveryRequest request) : request_(std::move(request)) {}

  // It is an admin's word, and the record names the admin.
  Result<void> Decide(Store&, base::Micros, audit::Draft& record) override {
    TRY(TakeReason(request_.reason, record));
    const bool known = request_.act == "verified" || request_.act == "restored" || request_.act == "backed_up";
    if (!known || !IsText(request_.facts, kMostFacts)) return Refuse(Refusal::kFieldInvalid);
    record.after = audit::Facts{{"act", request_.act}, {"facts", request_.facts}};
    return {};
  }
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  const NoteRecoveryRequest request_;
};

}  // namespace

MadeAct MakePutRecovery(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(PutRecoveryRequest request, PutRecoveryRequest::Decode(body));
  return std::make_unique<PutRecovery>(vault, std::move(request));
}

MadeAct MakeNoteRecovery(OpenVault&, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(NoteRecoveryRequest request, NoteRecoveryRequest::Decode(body));
  return std::make_unique<NoteRecovery>(std::move(request));
}

MadeAct MakeFinishRestore(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(NoteRecoveryRequest request, NoteRecoveryRequest::Decode(body));
  return std::make_unique<FinishRestore>(vault, std::move(request));
}

}  // namespace strongroom::vault
