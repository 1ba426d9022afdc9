// Tickets: made for a customer, shown once more, cancelled (vault/SEALED.md). Their use is ticket_accept.cpp.
#include <utility>

#include "vault/cipher.h"
#include "vault/field_rules.h"
#include "vault/kek_acts.h"
#include "vault/new_key.h"
#include "vault/operations.h"
#include "vault/proven_ticket.h"
#include "vault/sealed_box.h"
#include "vault/ticket_keeper.h"
#include "vault/ticket_protocol.h"

namespace strongroom::vault {
namespace {

constexpr base::Micros kTicketHolds = 7 * base::kMicrosPerDay;
constexpr std::int64_t kMostOpen = 10'000;
constexpr std::size_t kMostEndpoint = 200;

class IssueTicket final : public Act {
 public:
  IssueTicket(OpenVault& vault, IssueTicketRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(EncodeText(text_)); }

 private:
  Result<TicketRow> Fill(Store& store, base::Micros now) const;

  OpenVault& vault_;
  const IssueTicketRequest request_;
  std::string text_;
};

// The row but for what the private key makes of it.
Result<TicketRow> IssueTicket::Fill(Store& store, base::Micros now) const {
  const bool places_itself = !request_.customer.empty() || !request_.provider.empty() || !request_.endpoint.empty();
  if (!request_.rotates.empty() && places_itself) return Refuse(Refusal::kFieldInvalid);
  const NewPlace asked{request_.customer, request_.provider, "", request_.endpoint, false};
  TRY_ASSIGN(const Place place, request_.rotates.empty() ? PlaceFor(asked) : PlaceLike(vault_, store, request_.rotates));
  TicketRow row;
  row.ticket_id = base::Hex(Cipher::RandomNonce()).substr(0, Ticket::kIdDigits);
  row.customer = place.customer;
  row.provider = place.provider;
  row.origin = place.origin.text();
  row.endpoint = request_.endpoint;
  if (row.endpoint.size() > kMostEndpoint) return Refuse(Refusal::kFieldInvalid);
  row.rotates = request_.rotates;
  row.status = kTicketOpen;
  row.created_at = row.changed_at = now;
  row.expires_at = (now + kTicketHolds) / base::kMicrosPerSecond * base::kMicrosPerSecond;
  return row;
}

Result<void> IssueTicket::Decide(Store& store, base::Micros now, audit::Draft& record) {
  if (!request_.customer.empty()) record.customer = request_.customer;
  if (!request_.rotates.empty()) record.key_ref = request_.rotates;
  TRY(TakeReason(request_.reason, record));
  TRY_ASSIGN(TicketRow row, Fill(store, now));
  record.customer = row.customer;
  TRY_ASSIGN(const auto keys, vault_.Keys());
  TRY(CheckWraps(store, *keys));
  TRY(TicketKeeper::Expire(store, now));
  TRY_ASSIGN(const std::int64_t open, store.CountOpenTickets());
  if (open >= kMostOpen) return Refuse(Refusal::kTicketsFull);
  TRY_ASSIGN(SealedBox::KeyPair pair, SealedBox::Generate());
  row.public_key = std::move(pair.public_key);
  text_ = TicketOf(vault_.vault_id, row).Print();
  // What cannot be read back is no customer's or provider's name.
  const auto ticket = Ticket::Parse(text_);
  if (!ticket) return Refuse(Refusal::kFieldInvalid);
  TRY(WrapTicket(*keys, vault_.vault_id, pair.private_key.View(), row));
  TRY(store.InsertTicket(row));
  record.after = audit::Facts{{"ticket", row.ticket_id}, {"status", row.status}, {"provider", row.provider}, {"origin", row.origin},
                              {"expires_at", FormatSeconds(row.expires_at)}, {"ticket_digest", base::Hex(ticket->Digest())}};
  return {};
}

class ShowTicket final : public Act {
 public:
  ShowTicket(OpenVault& vault, TicketRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override {
    TRY(TakeReason(request_.reason, record));
    TRY_ASSIGN(const TicketRow row, FindTicket(store, request_.ticket_id, record));
    TRY_ASSIGN(const ProvenTicket proven, ProvenTicket::Prove(vault_, store, row, now));
    text_ = proven.ticket().Print();
    record.after = audit::Facts{{"ticket", row.ticket_id}, {"ticket_digest", base::Hex(proven.ticket().Digest())}};
    return {};
  }
  Reply Answer(audit::Receipt&) override { return Reply(EncodeText(text_)); }

 private:
  OpenVault& vault_;
  const TicketRequest request_;
  std::string text_;
};

class CancelTicket final : public Act {
 public:
  explicit CancelTicket(TicketRequest request) : request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  const TicketRequest request_;
};

// It takes no proof: a ticket whose row was edited has to go as well, and without its private key no key comes in by it.
Result<void> CancelTicket::Decide(Store& store, base::Micros now, audit::Draft& record) {
  TRY(TakeReason(request_.reason, record));
  TRY_ASSIGN(const TicketRow row, FindTicket(store, request_.ticket_id, record));
  if (row.status == kTicketUsed) return Refuse(Refusal::kTicketUsed);
  if (row.status == kTicketCancelled) return Refuse(Refusal::kTicketCancelled);
  if (row.status != kTicketOpen) return Refuse(Refusal::kTicketExpired);
  TRY(store.EndTicket(row.ticket_id, kTicketCancelled, "", now));
  TRY(TicketKeeper::Expire(store, now));
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  record.after = audit::Facts{{"ticket", row.ticket_id}, {"status", std::string(kTicketCancelled)}};
  return {};
}

}  // namespace

MadeAct MakeIssueTicket(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(IssueTicketRequest request, IssueTicketRequest::Decode(body));
  return std::make_unique<IssueTicket>(vault, std::move(request));
}
MadeAct MakeShowTicket(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(TicketRequest request, TicketRequest::Decode(body));
  return std::make_unique<ShowTicket>(vault, std::move(request));
}
MadeAct MakeCancelTicket(OpenVault&, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(TicketRequest request, TicketRequest::Decode(body));
  return std::make_unique<CancelTicket>(std::move(request));
}

}  // namespace strongroom::vault
