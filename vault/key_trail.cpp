// What the trail has about one key, for whoever asks how far a leak reaches. Each page is an act of its own, and so on record itself.
#include "vault/key_trail.h"

#include <algorithm>
#include <array>
#include <utility>

#include "audit/checkpoint.h"
#include "audit/record.h"
#include "base/log.h"
#include "vault/field_rules.h"
#include "vault/operations.h"
#include "vault/stop_unproven.h"

namespace strongroom::vault {
namespace {

// A page keeps the trail's writer, and so every release, for some milliseconds at most.
constexpr std::int64_t kMostExamined = 1000;
constexpr std::size_t kPageBytes = 128 << 10;

// What is asked about a key without touching it.
constexpr std::array<std::string_view, 4> kLooks{"resolve", "report_call", "read_key_trail", "show_key"};

bool IsOneOf(std::string_view action, const auto& names) { return std::ranges::find(names, action) != names.end(); }

class ReadKeyTrail final : public Act {
 public:
  ReadKeyTrail(OpenVault& vault, ReadKeyTrailRequest request)
      : vault_(vault), request_(std::move(request)), uses_(request_.what == kUsesOfKey) {}

  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(answer_.Encode()); }

 private:
  bool Concerns(std::string_view key_ref, std::string_view action, std::string_view outcome) const;
  Result<void> TakeCheckpoint();
  Result<void> ReadPage(Store& store);
  Result<void> Take(const LogRow& row, audit::NodeSource& tree);
  Result<std::string> ProofOf(const LogRow& row, audit::NodeSource& tree) const;

  OpenVault& vault_;
  const ReadKeyTrailRequest request_;
  const bool uses_;
  audit::Note note_;  // with `head_`, where proofs are asked for
  std::optional<audit::Head> head_;
  std::size_t bytes_ = 0;
  ReadKeyTrailAnswer answer_;
};

Result<void> ReadKeyTrail::Decide(Store& store, base::Micros, audit::Draft& record) {
  record.key_ref = request_.key_ref;
  if (!uses_ && request_.what != kActsOnKey) return Refuse(Refusal::kFieldInvalid);
  record.purpose = request_.what + " since " + base::FormatTime(request_.since);
  if (request_.after_seq >= 0) *record.purpose += ", behind record " + std::to_string(request_.after_seq);
  TRY_ASSIGN(const std::optional<KeyRow> key, store.FindKey(request_.key_ref));
  if (!key) {
    // What is on record of a key is so whatever became of its row.
    TRY_ASSIGN(const Refusal gone, RowGone(vault_, store, request_.key_ref));
    if (gone == Refusal::kKeyUnknown) return Refuse(gone);
  } else {
    record.customer = key->customer;
    record.key_version = key->key_version;
  }
  if (!request_.checkpoint.empty()) TRY(TakeCheckpoint());
  TRY_ASSIGN(answer_.held_from, store.HeldFrom());
  return ReadPage(store);
}

// Only a head that this vault has signed: what is proved against another is worth nothing to whoever has the key.
Result<void> ReadKeyTrail::TakeCheckpoint() {
  auto note = audit::Note::Parse(request_.checkpoint);
  const auto checkpoint = note ? audit::Checkpoint::Parse(note->text) : Fail(note.error());
  const audit::VerifierKey own = vault_.trail->verifier();
  if (!checkpoint || checkpoint->origin != own.name || audit::CheckSignature(*note, own) != audit::Signed::kYes) {
    return Refuse(Refusal::kFieldInvalid);
  }
  note_ = std::move(*note);
  head_ = checkpoint->head;
  return {};
}

Result<void> ReadKeyTrail::ReadPage(Store& store) {
  const LogPage page{request_.since, request_.after_at, request_.after_seq, kMostExamined};
  TRY_ASSIGN(const std::vector<LogRow> rows, store.ListAbout(uses_ ? request_.key_ref : std::string(), page));
  audit::EdgedTree tree = store.ProofTree(vault_.proof_edge, head_ ? head_->size : 0);
  for (const LogRow& row : rows) {
    if (bytes_ >= kPageBytes) break;
    TRY(Take(row, tree));
    answer_.after_at = row.at;
    answer_.after_seq = row.seq;
  }
  const bool whole = rows.empty() || rows.back().seq == answer_.after_seq;
  answer_.more = !whole || std::ssize(rows) == kMostExamined;
  return {};
}

bool ReadKeyTrail::Concerns(std::string_view key_ref, std::string_view action, std::string_view outcome) const {
  if (key_ref != request_.key_ref) return false;
  if (uses_) return outcome == audit::OutcomeName(audit::Outcome::kOk) && audit::IsReleaseAction(action);
  return !IsOneOf(action, kLooks);
}

// Columns and record each say what it is about. Where they differ somebody has edited one of them, and that is told. A record whose KEY_REF or AT
// was edited in its column is not found here at all: `auditlog verify` finds it.
Result<void> ReadKeyTrail::Take(const LogRow& row, audit::NodeSource& tree) {
  const auto entry = audit::Parse(row.record);
  const bool by_record = entry && Concerns(entry->draft.key_ref.value_or(""), entry->draft.action, audit::OutcomeName(entry->draft.outcome));
  const bool by_columns = Concerns(row.key_ref, row.action, row.outcome);
  if (!by_record && !by_columns) return {};
  if (head_ && row.seq >= head_->size) return {};
  std::string json = R"({"seq":)" + std::to_string(row.seq) + R"(,"record":)";
  // What is too long to be a record could not be answered with.
  base::AppendJsonString(json, row.record.size() <= audit::kMostRecordBytes ? row.record : std::string());
  if (!entry || !by_record || !by_columns || entry->place.seq != row.seq || entry->place.time != row.at) {
    json += R"(,"fault":"changed")";
  } else if (head_) {
    TRY_ASSIGN(const std::string proof, ProofOf(row, tree));
    json += proof.empty() ? R"(,"fault":"not proven")" : R"(,"proof":)";
    if (!proof.empty()) base::AppendJsonString(json, proof);
  }
  json += '}';
  bytes_ += json.size();
  answer_.rows.push_back(std::move(json));
  return {};
}

// ProofOf is empty where the record does not stand there under the checkpoint: it was changed, or a hash beside it.
Result<std::string> ReadKeyTrail::ProofOf(const LogRow& row, audit::NodeSource& tree) const {
  auto path = audit::InclusionProof(tree, row.seq, head_->size);
  if (!path && path.error().code() != Code::kNotFound && path.error().code() != Code::kCorrupt) return std::unexpected(path.error());
  if (!path || !audit::VerifyInclusion(row.seq, *head_, audit::HashLeaf(row.record), *path)) return std::string();
  return audit::RecordProof{row.seq, std::move(*path), note_}.Print();
}

}  // namespace

MadeAct MakeReadKeyTrail(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(ReadKeyTrailRequest request, ReadKeyTrailRequest::Decode(body));
  return std::make_unique<ReadKeyTrail>(vault, std::move(request));
}

}  // namespace strongroom::vault
