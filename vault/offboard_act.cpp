// A customer leaves: nothing is called for them any more, and no key of theirs opens.
#include <algorithm>
#include <utility>

#include "vault/field_rules.h"
#include "vault/key_ref.h"
#include "vault/operations.h"
#include "vault/profile_rules.h"
#include "vault/proven_key.h"
#include "vault/stop_unproven.h"

namespace strongroom::vault {
namespace {

// What one record names in full, and so what one transaction does; of a customer with more there are several.
constexpr std::size_t kMostKeys = 80, kMostProfiles = 25, kMostTickets = 25;
// A fact is cut at audit::kMostTextBytes.
constexpr std::size_t kKeysAFact = 25, kProfilesAFact = 10, kTicketsAFact = 25;
constexpr std::int64_t kPage = 500;

// Listing puts "NAME STATUS" of each into facts "keys", "keys_2" and so on.
class Listing {
 public:
  Listing(std::string name, std::size_t most, std::size_t a_fact) : name_(std::move(name)), most_(most), a_fact_(a_fact) {}
  bool full() const { return count_ >= most_; }
  std::size_t count() const { return count_; }
  void Add(const std::string& item, const std::string& status) {
    const std::size_t number = count_++ / a_fact_;
    std::string& fact = facts_[number == 0 ? name_ : name_ + "_" + std::to_string(number + 1)];
    fact += (fact.empty() ? "" : ", ") + item + " " + status;
  }
  void Into(audit::Facts& facts) const { facts.insert(facts_.begin(), facts_.end()); }

 private:
  std::string name_;
  std::size_t most_, a_fact_;
  std::size_t count_ = 0;
  audit::Facts facts_;
};

class Offboard final : public Act {
 public:
  Offboard(OpenVault& vault, MoveRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  bool fenced() const override { return new_epoch.has_value(); }
  bool GoesOn() override { return more_; }
  Reply Answer(audit::Receipt&) override { return Reply(StoppedAnswer().Encode()); }

 private:
  Result<void> StopKeys(Store& store, base::Micros now);
  Result<void> StopGoneKeys(Store& store);
  Result<void> StopGoneKey(Store& store, const std::string& key_ref);
  Result<void> StopKey(Store& store, KeyRow row, base::Micros now);
  Result<void> Revoked(Store& store, const KeyRow& before, std::int64_t row_version);
  Result<void> EndProfiles(Store& store, base::Micros now);
  Result<void> EndTickets(Store& store, base::Micros now);

  OpenVault& vault_;
  const MoveRequest request_;
  Listing keys_{"keys", kMostKeys, kKeysAFact}, profiles_{"profiles", kMostProfiles, kProfilesAFact}, tickets_{"tickets", kMostTickets, kTicketsAFact};
  std::size_t gone_ = 0;  // of the keys, those without a row
  bool known_ = false, more_ = false;
};

Result<void> Offboard::Decide(Store& store, base::Micros now, audit::Draft& record) {
  keys_ = Listing("keys", kMostKeys, kKeysAFact);
  profiles_ = Listing("profiles", kMostProfiles, kProfilesAFact);
  tickets_ = Listing("tickets", kMostTickets, kTicketsAFact);
  gone_ = 0;
  more_ = false;
  record.customer = request_.ref;
  TRY(TakeReason(request_.reason, record));
  if (request_.move != "offboard" || !CheckCustomer(request_.ref)) return Refuse(Refusal::kFieldInvalid);
  TRY(StopKeys(store, now));
  TRY(StopGoneKeys(store));
  TRY(EndProfiles(store, now));
  TRY(EndTickets(store, now));
  if (!known_) return Refuse(Refusal::kCustomerUnknown);
  record.before.emplace();
  keys_.Into(*record.before);
  profiles_.Into(*record.before);
  tickets_.Into(*record.before);
  record.after = audit::Facts{{"keys_revoked", std::to_string(keys_.count())},
                              {"profiles_terminated", std::to_string(profiles_.count())},
                              {"tickets_cancelled", std::to_string(tickets_.count())},
                              {"goes_on", more_ ? "yes" : "no"}};
  if (gone_ > 0) (*record.after)["rows_gone"] = std::to_string(gone_);
  if (keys_.count() + profiles_.count() + tickets_.count() == 0) return {};
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  return {};
}

Result<void> Offboard::StopKeys(Store& store, base::Micros now) {
  for (std::string after;;) {
    TRY_ASSIGN(std::vector<KeyRow> rows, store.ListKeys(request_.ref, "", after, kPage));
    if (rows.empty()) return {};
    known_ = true;
    after = rows.back().key_ref;
    for (KeyRow& row : rows) {
      if (keys_.full()) {
        more_ = true;
        return {};
      }
      TRY(StopKey(store, std::move(row), now));
    }
  }
}

// What a row states is not believed: one that was made REVOKED by hand would be ACTIVE again by hand.
Result<void> Offboard::StopKey(Store& store, KeyRow row, base::Micros now) {
  auto key = ProvenKey::Prove(vault_, row);
  if (key) {
    const auto next = NextState(key->state(), Move::kRevoke);
    if (!next) return {};
    TRY(key->Write(vault_, store, *next, key->row().grace_until, now));
    return Revoked(store, row, key->row().row_version);
  }
  if (RefusalOf(key.error()) == Refusal::kKeyDestroyed) return {};
  if (!IsUnproven(key.error())) return std::unexpected(key.error());
  const bool stopped = row.status == StateName(KeyState::kRevoked) && vault_.stops->VersionOf(row.key_ref) == row.row_version;
  if (stopped) return {};
  const auto version = StopUnproven(vault_, store, row, KeyState::kRevoked, now);
  if (version) return Revoked(store, row, *version);
  return RefusalOf(version.error()) == Refusal::kKeyMoveForbidden ? Result<void>() : std::unexpected(version.error());
}

// A row that somebody has deleted can be put back, and would be believed. So what a profile of the customer's or the trail names is stopped without one.
Result<void> Offboard::StopGoneKeys(Store& store) {
  for (std::string after;;) {
    TRY_ASSIGN(const std::vector<ProfileRow> profiles, store.ListProfiles(request_.ref, "", after, kPage));
    if (profiles.empty()) break;
    after = profiles.back().profile_ref;
    for (const ProfileRow& profile : profiles) {
      if (profile.key_ref) TRY(StopGoneKey(store, *profile.key_ref));
    }
  }
  TRY_ASSIGN(const std::vector<std::string> on_trail, store.KeysOnTrail(request_.ref));
  for (const std::string& key_ref : on_trail) TRY(StopGoneKey(store, key_ref));
  return {};
}

// A name that is another customer's, by a hosted profile or an edited one, is not this one's to stop.
Result<void> Offboard::StopGoneKey(Store& store, const std::string& key_ref) {
  const auto ref = KeyRef::Parse(key_ref);
  const bool counted = std::ranges::any_of(stops, [&](const Stop& stop) { return stop.key_ref == key_ref; });
  if (!ref || ref->customer() != request_.ref || counted) return {};
  TRY_ASSIGN(const std::optional<KeyRow> row, store.FindKey(key_ref));
  if (row) return {};
  TRY_ASSIGN(const Refusal gone, RowGone(vault_, store, key_ref));
  if (gone == Refusal::kKeyUnknown) return {};
  known_ = true;
  if (vault_.stops->IsFinalFor(key_ref)) return {};
  if (keys_.full()) {
    more_ = true;
    return {};
  }
  KeyRow before;
  before.key_ref = key_ref;
  before.status = "GONE";
  ++gone_;
  return Revoked(store, before, std::max<std::int64_t>(vault_.stops->VersionOf(key_ref), 1));
}

// A key of the house's that others are called with is not taken from under them.
Result<void> Offboard::Revoked(Store& store, const KeyRow& before, std::int64_t row_version) {
  TRY_ASSIGN(const std::vector<ProfileRow> users, store.ProfilesOfKey(before.key_ref));
  for (const ProfileRow& profile : users) {
    if (profile.customer != request_.ref && profile.status != "TERMINATED") return Refuse(Refusal::kCustomerServes);
  }
  keys_.Add(before.key_ref, before.status);
  stops.push_back({before.key_ref, row_version, KeyState::kRevoked});
  return {};
}

// To end a profile needs no proof of its row.
Result<void> Offboard::EndProfiles(Store& store, base::Micros now) {
  for (std::string after;;) {
    TRY_ASSIGN(std::vector<ProfileRow> rows, store.ListProfiles(request_.ref, "", after, kPage));
    if (rows.empty()) return {};
    known_ = true;
    after = rows.back().profile_ref;
    for (ProfileRow& row : rows) {
      if (row.status == "TERMINATED") continue;
      if (profiles_.full()) {
        more_ = true;
        return {};
      }
      profiles_.Add(row.profile_ref, row.status);
      row.status = "TERMINATED";
      TRY(WriteMoved(vault_, store, row, false, now));
    }
  }
}

// A key that the customer sealed before they left must not come in afterwards.
Result<void> Offboard::EndTickets(Store& store, base::Micros now) {
  TRY_ASSIGN(const std::vector<TicketRow> rows, store.ListTickets(request_.ref, kTicketOpen, "", kMostTickets + 1));
  known_ = known_ || !rows.empty();
  for (const TicketRow& row : rows) {
    if (tickets_.full()) {
      more_ = true;
      return {};
    }
    tickets_.Add(row.ticket_id, row.status);
    TRY(store.EndTicket(row.ticket_id, kTicketCancelled, "", now));
  }
  return {};
}

}  // namespace

MadeAct MakeOffboard(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(MoveRequest request, MoveRequest::Decode(body));
  return std::make_unique<Offboard>(vault, std::move(request));
}

}  // namespace strongroom::vault
