// A key that a customer has sealed to a ticket comes in: PENDING, and the ticket is USED (vault/SEALED.md).
#include <algorithm>
#include <utility>

#include "vault/digest.h"
#include "vault/field_rules.h"
#include "vault/key_blob.h"
#include "vault/key_format.h"
#include "vault/new_key.h"
#include "vault/operations.h"
#include "vault/proven_key.h"
#include "vault/proven_ticket.h"
#include "vault/ticket_keeper.h"
#include "vault/ticket_protocol.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kDigestFact = "sealed_key_digest";

class AcceptTicket final : public Act {
 public:
  AcceptTicket(OpenVault& vault, AcceptTicketRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(EncodeText(key_ref_)); }

 private:
  Result<KeyBlob> ReadBlob(audit::Draft& record) const;
  Result<SecretValue> OpenKey(Store& store, const KeyBlob& blob, const TicketRow& row, base::Micros now) const;
  Result<Place> PlaceOf(Store& store, const TicketRow& row) const;
  Result<void> TakeIn(Store& store, const KeyBlob& blob, const TicketRow& row, base::Micros now, audit::Draft& record);
  Result<void> GoOn(Store& store, const TicketRow& row, const std::string& digest, audit::Draft& record);

  OpenVault& vault_;
  const AcceptTicketRequest request_;
  std::string key_ref_;
};

Result<KeyBlob> AcceptTicket::ReadBlob(audit::Draft& record) const {
  const auto file = base::Unhex(request_.blob);
  if (!file) return Refuse(Refusal::kMalformed);
  auto blob = KeyBlob::Parse(base::AsText(*file));
  if (!blob) return Refuse(Refusal::kSealedKeyMalformed);
  record.before = audit::Facts{{"ticket", blob->ticket_id}};
  if (blob->vault_id != vault_.vault_id) return Refuse(Refusal::kOtherVault);
  return std::move(*blob);
}

Result<SecretValue> AcceptTicket::OpenKey(Store& store, const KeyBlob& blob, const TicketRow& row, base::Micros now) const {
  TRY_ASSIGN(const ProvenTicket proven, ProvenTicket::Prove(vault_, store, row, now));
  auto key = blob.Open(proven.ticket(), proven.private_key());
  if (!key && key.error().code() == Code::kDecryptFailed) return Refuse(Refusal::kSealedKeyUnopened);
  if (!key) return std::unexpected(key.error());
  if (!KeyFormat::Check(key->View())) return Refuse(Refusal::kKeyFormat);
  return std::move(*key);
}

// The customer has sealed for the ticket's origin: the key goes nowhere else.
Result<Place> AcceptTicket::PlaceOf(Store& store, const TicketRow& row) const {
  const NewPlace asked{row.customer, row.provider, request_.label, row.endpoint, request_.hosted};
  TRY_ASSIGN(Place place, row.rotates.empty() ? PlaceFor(asked) : PlaceLike(vault_, store, row.rotates));
  const bool same = place.customer == row.customer && place.provider == row.provider && place.origin.text() == row.origin;
  if (!same) return Refuse(Refusal::kOriginMismatch);
  return place;
}

Result<void> AcceptTicket::TakeIn(Store& store, const KeyBlob& blob, const TicketRow& row, base::Micros now, audit::Draft& record) {
  TRY_ASSIGN(const SecretValue key, OpenKey(store, blob, row, now));
  TRY_ASSIGN(const Place place, PlaceOf(store, row));
  TRY_ASSIGN(key_ref_, HoldPending(vault_, store, place, key.View(), now, record));
  TRY(store.EndTicket(row.ticket_id, kTicketUsed, key_ref_, now));
  TRY(TicketKeeper::Expire(store, now));
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  return {};
}

// GoOn is for an onboarding that ended between the two halves: nothing is opened again, and of a key that is more than PENDING there is
// nothing to finish. What the ticket was used for is read from the trail, for nothing binds the columns of a ticket that is over.
Result<void> AcceptTicket::GoOn(Store& store, const TicketRow& row, const std::string& digest, audit::Draft& record) {
  TRY_ASSIGN(const std::vector<audit::Draft> ends, EndsOf(store, row));
  const auto used = std::ranges::find_if(ends, [&digest](const audit::Draft& end) {
    const auto fact = end.after ? end.after->find(std::string(kDigestFact)) : audit::Facts::const_iterator();
    return end.after && fact != end.after->end() && fact->second == digest;
  });
  if (used == ends.end() || !used->key_ref) return Refuse(Refusal::kTicketUsed);
  TRY_ASSIGN(const ProvenKey key, ProvenKey::Find(vault_, store, *used->key_ref));
  if (key.state() != KeyState::kPending) return Refuse(Refusal::kTicketUsed);
  key_ref_ = *used->key_ref;
  record.key_ref = key_ref_;
  record.key_version = key.row().key_version;
  record.after = audit::Facts{{"status", key.row().status}, {"went_on", "yes"}};
  return {};
}

Result<void> AcceptTicket::Decide(Store& store, base::Micros now, audit::Draft& record) {
  if (!request_.customer.empty()) record.customer = request_.customer;
  TRY(TakeReason(request_.reason, record));
  TRY_ASSIGN(const KeyBlob blob, ReadBlob(record));
  TRY_ASSIGN(const TicketRow row, FindTicket(store, blob.ticket_id, record));
  if (!request_.customer.empty() && request_.customer != row.customer) return Refuse(Refusal::kTicketOfOthers);
  const std::string digest = base::Hex(Sha256(base::AsBytes(blob.Print())));
  if (request_.go_on && row.status == kTicketUsed) {
    TRY(GoOn(store, row, digest, record));
  } else {
    TRY(TakeIn(store, blob, row, now, record));
  }
  (*record.after)["ticket"] = row.ticket_id;
  (*record.after)["ticket_status"] = kTicketUsed;
  (*record.after)[std::string(kDigestFact)] = digest;
  return {};
}

}  // namespace

MadeAct MakeAcceptTicket(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(AcceptTicketRequest request, AcceptTicketRequest::Decode(body));
  return std::make_unique<AcceptTicket>(vault, std::move(request));
}

}  // namespace strongroom::vault
