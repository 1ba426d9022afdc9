#include "vault/account_limit.h"

#include <functional>
#include <limits>
#include <utility>

#include "vault/field_rules.h"
#include "vault/operations.h"
#include "vault/profile_mac.h"
#include "vault/proven_key.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kOfHouse = "HOUSE/";  // only such keys are HOSTED (vault/new_key.cpp)
constexpr std::int64_t kPage = 500, kMostInt = 2'147'483'647;

void Add(const std::optional<std::int64_t>& share, const std::string& profile_ref, std::int64_t& sum, std::vector<std::string>& without) {
  if (!share) return without.push_back(profile_ref);
  const bool fits = *share <= std::numeric_limits<std::int64_t>::max() - sum;
  sum = fits ? sum + *share : std::numeric_limits<std::int64_t>::max();
}

Result<void> AddProfiles(const OpenVault& vault, Store& store, const std::string& key_ref, GivenShares& shares) {
  TRY_ASSIGN(const std::vector<ProfileRow> profiles, store.ProfilesOfKey(key_ref));
  for (const ProfileRow& profile : profiles) {
    // Its STATUS first: one that was made TERMINATED by hand would be ACTIVE again by hand.
    if (const auto intact = CheckIntact(vault, profile); !intact) {
      return RefusalOf(intact.error()) == Refusal::kProfileTampered ? Refuse(Refusal::kShareTampered) : intact;
    }
    if (profile.status == "TERMINATED") continue;
    Add(profile.rpm, profile.profile_ref, shares.rpm, shares.without_rpm);
    Add(profile.tpm, profile.profile_ref, shares.tpm, shares.without_tpm);
  }
  return {};
}

using TakeRow = std::function<Result<void>(const KeyRow&)>;

// EachVersion hands over the rows of an account: those of a key and of its other versions.
Result<void> EachVersion(Store& store, const KeyRow& key, const TakeRow& take) {
  for (std::string after;;) {
    TRY_ASSIGN(const std::vector<KeyRow> rows, store.ListKeys(key.customer, "", after, kPage));
    for (const KeyRow& row : rows) {
      if (row.provider == key.provider && row.label == key.label) TRY(take(row));
    }
    if (std::ssize(rows) < kPage) return {};
    after = rows.back().key_ref;
  }
}

// While a key is PENDING its ROW_VERSION counts its probes.
bool InUse(const ProvenKey& key) {
  return key.state() == KeyState::kActive || key.state() == KeyState::kSuspended || key.state() == KeyState::kRotated;
}

// SetOfOthers writes the account's limit into its other versions, and returns their names: a profile may be with any of them.
Result<std::string> SetOfOthers(const OpenVault& vault, Store& store, const ProvenKey& one, const AccountLimit& limit) {
  std::string names;
  TRY(EachVersion(store, one.row(), [&](const KeyRow& row) -> Result<void> {
    if (row.key_ref == one.row().key_ref) return {};
    // One that does not open is used by nobody.
    auto key = ProvenKey::Prove(vault, row);
    if (!key || !InUse(*key)) return {};
    names += (names.empty() ? "" : ", ") + row.key_ref;
    return key->WriteLimit(vault, store, limit);
  }));
  return names;
}

class LimitKey final : public Act {
 public:
  LimitKey(OpenVault& vault, LimitKeyRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  OpenVault& vault_;
  const LimitKeyRequest request_;
};

// Apply is false for a number that is no limit; 0 is none.
bool Apply(const std::optional<std::int64_t>& from, std::optional<std::int64_t>& to) {
  if (!from) return true;
  to = *from == 0 ? std::nullopt : from;
  return *from >= 0 && *from <= kMostInt;
}

std::string Words(const std::optional<std::int64_t>& limit) { return limit ? std::to_string(*limit) : "none"; }

audit::Facts FactsOf(const AccountLimit& limit) { return {{"limit_rpm", Words(limit.rpm)}, {"limit_tpm", Words(limit.tpm)}}; }

Result<void> LimitKey::Decide(Store& store, base::Micros, audit::Draft& record) {
  record.key_ref = request_.key_ref;
  TRY(TakeReason(request_.reason, record));
  TRY_ASSIGN(ProvenKey key, ProvenKey::Find(vault_, store, request_.key_ref));
  record.customer = key.row().customer;
  record.key_version = key.row().key_version;
  record.before = FactsOf(key.row().limit);
  AccountLimit limit = key.row().limit;
  if (!Apply(request_.rpm, limit.rpm) || !Apply(request_.tpm, limit.tpm)) return Refuse(Refusal::kFieldInvalid);
  if (!key.context().hosted) return Refuse(Refusal::kKeyNotHosted);
  if (!InUse(key)) return Refuse(Refusal::kKeyMoveForbidden);
  TRY(key.WriteLimit(vault_, store, limit));
  TRY_ASSIGN(std::string others, SetOfOthers(vault_, store, key, limit));
  TRY(CheckShares(vault_, store, request_.key_ref));
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  record.after = FactsOf(limit);
  if (!others.empty()) record.after->emplace("others", std::move(others));
  return {};
}

}  // namespace

Result<GivenShares> SharesOf(const OpenVault& vault, Store& store, const KeyRow& key) {
  GivenShares shares;
  TRY(EachVersion(store, key, [&](const KeyRow& row) { return AddProfiles(vault, store, row.key_ref, shares); }));
  return shares;
}

Result<void> InheritLimit(const OpenVault& vault, Store& store, ProvenKey& key, audit::Facts& after) {
  if (!key.context().hosted) return {};
  std::pair<bool, std::int64_t> best{false, 0};
  AccountLimit limit;
  TRY(EachVersion(store, key.row(), [&](const KeyRow& row) -> Result<void> {
    if (row.key_ref == key.row().key_ref) return {};
    const auto other = ProvenKey::Prove(vault, row);
    if (!other || other->state() == KeyState::kPending) return {};
    const std::pair rank{InUse(*other), row.key_version};
    if (rank <= best) return {};
    best = rank;
    limit = row.limit;
    return {};
  }));
  if (!limit.any()) return {};
  after.merge(FactsOf(limit));
  return key.WriteLimit(vault, store, limit);
}

Result<void> CheckShares(const OpenVault& vault, Store& store, const std::optional<std::string>& key_ref) {
  if (!key_ref || !key_ref->starts_with(kOfHouse)) return {};
  const auto key = ProvenKey::Find(vault, store, *key_ref);
  if (!key && RefusalOf(key.error()) == Refusal::kKeyDestroyed) return {};
  if (!key) return std::unexpected(key.error());
  const AccountLimit& limit = key->row().limit;
  if (!limit.any()) return {};
  TRY_ASSIGN(const GivenShares shares, SharesOf(vault, store, key->row()));
  if ((limit.rpm && !shares.without_rpm.empty()) || (limit.tpm && !shares.without_tpm.empty())) return Refuse(Refusal::kShareMissing);
  if ((limit.rpm && shares.rpm > *limit.rpm) || (limit.tpm && shares.tpm > *limit.tpm)) return Refuse(Refusal::kSharesOverLimit);
  return {};
}

MadeAct MakeLimitKey(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(LimitKeyRequest request, LimitKeyRequest::Decode(body));
  return std::make_unique<LimitKey>(vault, std::move(request));
}

}  // namespace strongroom::vault
