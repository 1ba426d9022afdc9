// Rewrap: keys move from RETIRING KEK versions to the ACTIVE one, a chunk a transaction, while resolves go on in between.
#include <utility>

#include "vault/field_rules.h"
#include "vault/kek_acts.h"
#include "vault/operations.h"
#include "vault/proven_key.h"

namespace strongroom::vault {
namespace {

// A chunk keeps the writer for about 3 ms: resolves that wait behind it still answer in the time a slow disk takes.
constexpr std::int64_t kChunk = 512;
constexpr base::Micros kRunForgotten = 5 * base::kMicrosPerSecond;
constexpr std::size_t kMostRun = 64;

class RewrapKeys final : public Act {
 public:
  RewrapKeys(OpenVault& vault, RewrapRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(const audit::Receipt&) override { return Reply(answer_.Encode()); }

 private:
  Result<void> TakeTurn();
  Result<std::int64_t> Retiring(Store& store) const;
  Result<void> RewrapRow(Store& store, const VaultKeys& keys, KeyRow row);

  OpenVault& vault_;
  const RewrapRequest request_;
  RewrapAnswer answer_;
};

Result<void> RewrapKeys::TakeTurn() {
  Rewrapper& at_work = vault_.rewrapper;
  const base::Micros now = base::MonoMicros();
  const bool another = !at_work.run.empty() && at_work.run != request_.run && now - at_work.seen < kRunForgotten;
  if (another) return Refuse(Refusal::kRewrapUnderWay);
  at_work = {request_.run, now};
  return {};
}

// Retiring is the oldest version that still has to be emptied, 0 where there is none.
Result<std::int64_t> RewrapKeys::Retiring(Store& store) const {
  TRY_ASSIGN(const std::vector<KekRow> rows, store.ListKeks());
  for (const KekRow& row : rows) {
    if (row.status == kKekRetiring) return row.version;
  }
  return 0;
}

// A row that does not open was changed outside vaultd, and would not open under the new KEK either. It is left for
// somebody to look at, and keeps its KEK version from being retired.
Result<void> RewrapKeys::RewrapRow(Store& store, const VaultKeys& keys, KeyRow row) {
  const std::int64_t expected = row.row_version, expected_kek = row.kek_version;
  std::string key_ref = row.key_ref;
  const auto leave = [&] {
    if (answer_.unopened++ == 0) answer_.first_unopened = std::move(key_ref);
    return Result<void>();
  };
  auto moved = ProvenKey::Rewrapped(vault_, keys, std::move(row));
  if (!moved && RefusalOf(moved.error()) == Refusal::kKeyTampered) return leave();
  if (!moved) return std::unexpected(moved.error());
  const auto written = store.UpdateWrap(*moved, expected, expected_kek);
  // Nobody else writes in this transaction: a row that is not found again has a KEY_REF that is no text.
  if (!written && written.error().code() == Code::kConflict) return leave();
  if (!written) return written;
  ++answer_.rewrapped;
  return {};
}

Result<void> RewrapKeys::Decide(Store& store, base::Micros, audit::Draft& record) {
  TRY(TakeReason(request_.reason, record));
  if (!IsText(request_.run, kMostRun)) return Refuse(Refusal::kFieldInvalid);
  TRY(TakeTurn());
  answer_ = {};
  TRY_ASSIGN(const auto keys, vault_.Keys());
  TRY(CheckWraps(store, *keys));
  TRY_ASSIGN(const std::int64_t version, Retiring(store));
  if (version != 0) {
    TRY_ASSIGN(std::vector<KeyRow> rows, store.KeysUnder(version, request_.after, kChunk));
    if (std::ssize(rows) == kChunk) answer_.next = rows.back().key_ref;
    for (KeyRow& row : rows) TRY(RewrapRow(store, *keys, std::move(row)));
  }
  if (answer_.next.empty()) {
    TRY(RewrapSecrets(vault_, store, *keys));
    vault_.rewrapper = {};
  }
  record.after = audit::Facts{{"kek_version", std::to_string(keys->wrap_version)},
                              {"from_kek_version", std::to_string(version)},
                              {"rewrapped", std::to_string(answer_.rewrapped)},
                              {"unopened", std::to_string(answer_.unopened)}};
  if (answer_.unopened > 0) (*record.after)["first_unopened"] = answer_.first_unopened;
  return {};
}

}  // namespace

MadeAct MakeRewrapKeys(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(RewrapRequest request, RewrapRequest::Decode(body));
  return std::make_unique<RewrapKeys>(vault, std::move(request));
}

}  // namespace strongroom::vault
