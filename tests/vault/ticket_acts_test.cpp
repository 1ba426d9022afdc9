// Tickets, from the invitation to the key that comes back by them, and all that may be wrong on the way.
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/vault/service_house.h"
#include "vault/key_blob.h"
#include "vault/open_vault.h"
#include "vault/sealed_box.h"
#include "vault/ticket.h"
#include "vault/ticket_protocol.h"

namespace strongroom::vault {
namespace {

using Json = nlohmann::json;
constexpr std::uint8_t kAdmin = 1, kWorker = 2, kAuditor = 4;

Result<Ticket> Issue(ServiceHouse& house, const std::string& customer = "ACME", const std::string& rotates = "",
                     const std::string& endpoint = "") {
  IssueTicketRequest request;
  if (rotates.empty()) {
    request.customer = customer;
    request.provider = "anthropic";
    request.endpoint = endpoint;
  }
  request.rotates = rotates;
  request.reason = "onboarding";
  TRY_ASSIGN(const Reply reply, house.Ask(Operation::kIssueTicket, request.Encode(), kAdmin));
  return Ticket::Parse(DecodeText(reply.body).value());
}

std::string SealTo(const Ticket& ticket, std::string_view key = kAcmeKey) {
  return KeyBlob::Seal(ticket, SecretProbe::Of(key).View()).value().Print();
}

AcceptTicketRequest Handing(std::string_view blob) {
  AcceptTicketRequest request;
  request.blob = base::Hex(base::AsBytes(blob));
  request.reason = "onboarding";
  return request;
}

Result<std::string> Accept(ServiceHouse& house, const AcceptTicketRequest& request) {
  TRY_ASSIGN(const Reply reply, house.Ask(Operation::kAcceptTicket, request.Encode(), kAdmin));
  return DecodeText(reply.body);
}
Result<std::string> Accept(ServiceHouse& house, std::string_view blob) { return Accept(house, Handing(blob)); }

Refusal AcceptRefusal(ServiceHouse& house, const AcceptTicketRequest& request) {
  const auto accepted = Accept(house, request);
  REQUIRE_FALSE(accepted.has_value());
  CHECK(house.Last().draft.action == "accept_ticket");
  CHECK(house.Last().draft.reason == RefusalName(RefusalOf(accepted.error())));
  return RefusalOf(accepted.error());
}
Refusal AcceptRefusal(ServiceHouse& house, std::string_view blob) { return AcceptRefusal(house, Handing(blob)); }

Bytes Named(const Ticket& ticket) {
  TicketRequest request;
  request.ticket_id = ticket.ticket_id;
  request.reason = "asked for";
  return request.Encode();
}

Json Listed(ServiceHouse& house, std::uint8_t roles = kAdmin) {
  const auto reply = house.Ask(Operation::kListTickets, ListRequest{}.Encode(), roles);
  REQUIRE(reply.has_value());
  Json list = Json::array();
  const ListAnswer page = ListAnswer::Decode(reply->body).value();
  for (const std::string& row : page.rows) list.push_back(Json::parse(row));
  return list;
}

std::string WrappedBytes(ServiceHouse& house) { return house.Value("SELECT CAST(SUM(LENGTH(PRIVATE_KEY)) AS TEXT) FROM KEY_TICKET"); }

TEST_CASE("a key that was sealed to a ticket comes in as PENDING, and the ticket's private key is gone", "[tickets]") {
  ServiceHouse house;
  const Ticket ticket = Issue(house).value();
  CHECK(ticket.customer == "ACME");
  CHECK(ticket.origin == "https://api.anthropic.com:443");
  CHECK(ticket.rotates.empty());
  CHECK(WrappedBytes(house) == "48");
  const auto issued = house.Last().draft;
  CHECK(issued.action == "issue_ticket");
  CHECK(issued.customer == "ACME");
  CHECK(issued.after->at("ticket_digest") == base::Hex(ticket.Digest()));
  CHECK(Accept(house, SealTo(ticket)).value() == "ACME/anthropic/default/1");
  CHECK(house.Value("SELECT STATUS FROM KEY_VAULT") == "PENDING");
  CHECK(WrappedBytes(house) == "0");
  const auto accepted = house.Last().draft;
  CHECK(accepted.key_ref == "ACME/anthropic/default/1");
  CHECK(accepted.after->at("ticket") == ticket.ticket_id);
  const Json row = Listed(house).at(0);
  CHECK(row.at("status") == "USED");
  CHECK(row.at("key_ref") == "ACME/anthropic/default/1");
  // It is the key that was sealed: its fingerprint is that of the same key, taken in the other way.
  AddKeyRequest same;
  same.customer = "BARCO";
  same.provider = "openai";
  same.reason = "onboarding";
  REQUIRE(house.AddKey(same, kAcmeKey).has_value());
  CHECK(house.Value("SELECT COUNT(DISTINCT FINGERPRINT) FROM KEY_VAULT") == "1");
}

TEST_CASE("a key that came by a ticket is activated and released as any other", "[tickets]") {
  ServiceHouse house;
  REQUIRE(Accept(house, SealTo(Issue(house).value())).has_value());
  ActivateKeyRequest activate;
  activate.key_ref = "ACME/anthropic/default/1";
  activate.reason = "onboarding";
  activate.profile.emplace();
  activate.profile->profile_ref = "ACME_DEFAULT";
  activate.profile->model = "some-model";
  REQUIRE(house.Ask(Operation::kActivateKey, activate.Encode()).has_value());
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kAcmeKey);
}

TEST_CASE("an invitation names the place that a key may go to", "[tickets]") {
  ServiceHouse house;
  const Ticket ticket = Issue(house, "ACME", "", "https://Models.acme.example/v2").value();
  CHECK(ticket.origin == "https://models.acme.example:443");
  CHECK(Listed(house).at(0).at("endpoint") == "https://Models.acme.example/v2");
  AcceptTicketRequest request = Handing(SealTo(ticket));
  request.label = "spare";
  CHECK(Accept(house, request).value() == "ACME/anthropic/spare/1");
  CHECK(house.Value("SELECT ORIGIN FROM KEY_VAULT") == "https://models.acme.example:443");
}

TEST_CASE("no ticket is made for what could hold no key", "[tickets]") {
  ServiceHouse house;
  const auto refusal = [&house](const IssueTicketRequest& request) { return house.RefusalFor(Operation::kIssueTicket, request.Encode()); };
  IssueTicketRequest request{"ACME", "anthropic", "", "", "onboarding"};
  request.customer = "a b";
  CHECK(refusal(request) == Refusal::kFieldInvalid);
  request = {"", "anthropic", "", "", "onboarding"};
  CHECK(refusal(request) == Refusal::kFieldInvalid);
  request = {"ACME", "acme-cloud", "", "", "onboarding"};
  CHECK(refusal(request) == Refusal::kFieldInvalid);
  request = {"ACME", "ollama", "", "", "onboarding"};
  CHECK(refusal(request) == Refusal::kKeyProviderMismatch);
  request = {"ACME", "anthropic", "http://127.0.0.1:1", "", "onboarding"};
  CHECK(refusal(request) == Refusal::kOriginNotTls);
  request = {"ACME", "anthropic", "https://" + std::string(200, 'a'), "", "onboarding"};
  CHECK(refusal(request) == Refusal::kFieldInvalid);
  request = {"ACME", "", "", "ACME/anthropic/default/1", "onboarding"};
  CHECK(refusal(request) == Refusal::kFieldInvalid);
  request = {"", "", "", "ACME/anthropic/default/1", "onboarding"};
  CHECK(refusal(request) == Refusal::kKeyUnknown);
  request = {"ACME", "anthropic", "", "", ""};
  CHECK(refusal(request) == Refusal::kReasonMissing);
  CHECK(house.Value("SELECT CAST(COUNT(*) AS TEXT) FROM KEY_TICKET") == "0");
}

TEST_CASE("everything cryptographic about a sealed key is refused alike, and uses nothing up", "[tickets]") {
  ServiceHouse house;
  const Ticket ticket = Issue(house).value(), other = Issue(house, "BARCO").value();
  KeyBlob blob = KeyBlob::Parse(SealTo(ticket)).value();
  for (std::size_t at = 0; at < blob.box.size(); at += 3) {
    KeyBlob changed = blob;
    changed.box[at] ^= 0x10;
    CHECK(AcceptRefusal(house, changed.Print()) == Refusal::kSealedKeyUnopened);
  }
  KeyBlob cut = blob;
  cut.box.pop_back();
  CHECK(AcceptRefusal(house, cut.Print()) == Refusal::kSealedKeyUnopened);
  KeyBlob moved = blob;
  moved.ticket_id = other.ticket_id;
  CHECK(AcceptRefusal(house, moved.Print()) == Refusal::kSealedKeyUnopened);
  // Sealed to this public key, by somebody who was shown another ticket with it.
  Ticket shown = ticket;
  shown.customer = "BARCO";
  CHECK(AcceptRefusal(house, SealTo(shown)) == Refusal::kSealedKeyUnopened);
  shown = ticket;
  shown.origin = "https://elsewhere.example:443";
  CHECK(AcceptRefusal(house, SealTo(shown)) == Refusal::kSealedKeyUnopened);
  CHECK(Accept(house, blob.Print()).has_value());
}

TEST_CASE("everything else about a sealed key is refused by its own name", "[tickets]") {
  ServiceHouse house;
  const Ticket ticket = Issue(house).value();
  const std::string blob = SealTo(ticket);
  for (std::size_t at = 0; at + 1 < blob.size(); at += 5) {
    std::string changed = blob;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    CHECK(AcceptRefusal(house, changed) == Refusal::kSealedKeyMalformed);
    CHECK(AcceptRefusal(house, blob.substr(0, at)) == Refusal::kSealedKeyMalformed);
  }
  CHECK(AcceptRefusal(house, ticket.Print()) == Refusal::kSealedKeyMalformed);
  CHECK(AcceptRefusal(house, std::string("\xff\0\xfe", 3)) == Refusal::kSealedKeyMalformed);
  AcceptTicketRequest request = Handing(blob);
  request.blob = "no hexadecimal";
  CHECK(AcceptRefusal(house, request) == Refusal::kMalformed);
  Ticket foreign = ticket;
  foreign.vault_id = std::string(32, 'a');
  CHECK(AcceptRefusal(house, SealTo(foreign)) == Refusal::kOtherVault);
  foreign = ticket;
  foreign.ticket_id = std::string(16, 'a');
  CHECK(AcceptRefusal(house, SealTo(foreign)) == Refusal::kTicketUnknown);
  request = Handing(blob);
  request.customer = "BARCO";
  CHECK(AcceptRefusal(house, request) == Refusal::kTicketOfOthers);
  CHECK(AcceptRefusal(house, SealTo(ticket, "too short")) == Refusal::kKeyFormat);
  CHECK(AcceptRefusal(house, SealTo(ticket, "with a blank 0123456789")) == Refusal::kKeyFormat);
  request = Handing(blob);
  request.hosted = true;
  CHECK(AcceptRefusal(house, request) == Refusal::kFieldInvalid);
  request.hosted = false;
  request.reason = " ";
  CHECK(AcceptRefusal(house, request) == Refusal::kReasonMissing);
  request = Handing(blob);
  request.customer = "ACME";
  CHECK(Accept(house, request).has_value());
}

TEST_CASE("a ticket brings one key, and the same file goes on where its onboarding ended", "[tickets]") {
  ServiceHouse house;
  const Ticket ticket = Issue(house).value();
  const std::string blob = SealTo(ticket), another = SealTo(ticket, kBarcoKey);
  REQUIRE(Accept(house, blob).has_value());
  CHECK(AcceptRefusal(house, blob) == Refusal::kTicketUsed);
  CHECK(AcceptRefusal(house, another) == Refusal::kTicketUsed);
  AcceptTicketRequest on = Handing(another);
  on.go_on = true;
  CHECK(AcceptRefusal(house, on) == Refusal::kTicketUsed);
  on = Handing(blob);
  on.go_on = true;
  CHECK(Accept(house, on).value() == "ACME/anthropic/default/1");
  CHECK(Accept(house, on).value() == "ACME/anthropic/default/1");
  CHECK(house.Value("SELECT COUNT(*) FROM KEY_VAULT") == "1");
  REQUIRE(house.MoveKey("ACME/anthropic/default/1", "revoke").has_value());
  CHECK(AcceptRefusal(house, on) == Refusal::kTicketUsed);
}

TEST_CASE("of two admins who hand a key in at once, one does", "[tickets]") {
  ServiceHouse house;
  const std::string blob = SealTo(Issue(house).value());
  std::vector<Result<Reply>> answers(2, Fail(Code::kInternal, "not asked"));
  std::atomic<int> done = 0;
  Peer peer;
  peer.roles = kAdmin;
  for (auto& answer : answers) {
    house.service().Handle(peer, static_cast<std::uint8_t>(Operation::kAcceptTicket), Handing(blob).Encode(), std::nullopt,
                           [&answer, &done](Result<Reply> reply) {
                             answer = std::move(reply);
                             ++done;
                           });
  }
  while (done < 2) std::this_thread::yield();
  CHECK(answers[0].has_value() != answers[1].has_value());
  const auto& refused = answers[0] ? answers[1] : answers[0];
  CHECK(RefusalOf(refused.error()) == Refusal::kTicketUsed);
  CHECK(house.Value("SELECT COUNT(*) FROM KEY_VAULT") == "1");
}

TEST_CASE("a cancelled ticket brings nothing", "[tickets]") {
  ServiceHouse house;
  const Ticket ticket = Issue(house).value(), used = Issue(house).value();
  REQUIRE(Accept(house, SealTo(used)).has_value());
  REQUIRE(house.Ask(Operation::kCancelTicket, Named(ticket), kAdmin).has_value());
  CHECK(house.Last().draft.before->at("ticket") == ticket.ticket_id);
  CHECK(WrappedBytes(house) == "0");
  CHECK(AcceptRefusal(house, SealTo(ticket)) == Refusal::kTicketCancelled);
  CHECK(house.RefusalFor(Operation::kCancelTicket, Named(ticket)) == Refusal::kTicketCancelled);
  CHECK(house.RefusalFor(Operation::kCancelTicket, Named(used)) == Refusal::kTicketUsed);
  CHECK(house.RefusalFor(Operation::kShowTicket, Named(ticket)) == Refusal::kTicketCancelled);
  Ticket unknown = ticket;
  unknown.ticket_id = std::string(16, '0');
  CHECK(house.RefusalFor(Operation::kCancelTicket, Named(unknown)) == Refusal::kTicketUnknown);
}

TEST_CASE("a ticket is shown again as it was made, on record", "[tickets]") {
  ServiceHouse house;
  const Ticket ticket = Issue(house).value();
  const auto reply = house.Ask(Operation::kShowTicket, Named(ticket), kAdmin);
  REQUIRE(reply.has_value());
  CHECK(Ticket::Parse(DecodeText(reply->body).value()).value() == ticket);
  CHECK(house.Last().draft.action == "show_ticket");
  CHECK(house.Last().draft.after->at("ticket_digest") == base::Hex(ticket.Digest()));
}

TEST_CASE("a ticket whose row was edited is refused, and can be cancelled", "[tickets]") {
  ServiceHouse house;
  const Ticket ticket = Issue(house).value();
  const std::string blob = SealTo(ticket);
  const std::vector<sql::Sql> edits{
      "UPDATE KEY_TICKET SET CUSTOMER = 'BARCO'",        "UPDATE KEY_TICKET SET PROVIDER = 'openai'",
      "UPDATE KEY_TICKET SET ORIGIN = 'https://x:443'",  "UPDATE KEY_TICKET SET ENDPOINT = 'https://x'",
      "UPDATE KEY_TICKET SET ROTATES = 'ACME/anthropic/default/1'",
      "UPDATE KEY_TICKET SET EXPIRES_AT = EXPIRES_AT + 1000000",
      "UPDATE KEY_TICKET SET CREATED_AT = CREATED_AT + 1", "UPDATE KEY_TICKET SET STATUS = 'NEW'"};
  const std::vector<sql::Sql> backs{
      "UPDATE KEY_TICKET SET CUSTOMER = 'ACME'",         "UPDATE KEY_TICKET SET PROVIDER = 'anthropic'",
      "UPDATE KEY_TICKET SET ORIGIN = 'https://api.anthropic.com:443'", "UPDATE KEY_TICKET SET ENDPOINT = ''",
      "UPDATE KEY_TICKET SET ROTATES = ''",              "UPDATE KEY_TICKET SET EXPIRES_AT = EXPIRES_AT - 1000000",
      "UPDATE KEY_TICKET SET CREATED_AT = CREATED_AT - 1", "UPDATE KEY_TICKET SET STATUS = 'OPEN'"};
  for (std::size_t i = 0; i < edits.size(); ++i) {
    REQUIRE(house.Edit(edits[i]) == 1);
    CHECK(AcceptRefusal(house, blob) == Refusal::kTicketTampered);
    CHECK(house.RefusalFor(Operation::kShowTicket, Named(ticket)) == Refusal::kTicketTampered);
    CHECK(Listed(house).at(0)["intact"] == false);
    REQUIRE(house.Edit(backs[i]) == 1);
    CHECK(Listed(house).at(0)["intact"] == true);
  }
  // A public key of somebody else's.
  const Bytes stranger = SealedBox::Generate().value().public_key;
  REQUIRE(house.Edit("UPDATE KEY_TICKET SET PUBLIC_KEY = ?1", {ByteView(stranger)}) == 1);
  CHECK(house.RefusalFor(Operation::kShowTicket, Named(ticket)) == Refusal::kTicketTampered);
  CHECK(AcceptRefusal(house, blob) == Refusal::kTicketTampered);
  REQUIRE(house.Ask(Operation::kCancelTicket, Named(ticket), kAdmin).has_value());
  CHECK(AcceptRefusal(house, blob) == Refusal::kTicketCancelled);
}

TEST_CASE("the row of a used or cancelled ticket, put back as it was, is refused", "[tickets]") {
  ServiceHouse house;
  const Ticket used = Issue(house).value(), cancelled = Issue(house).value();
  REQUIRE(house.Edit("CREATE TABLE KEPT AS SELECT * FROM KEY_TICKET") >= 0);
  REQUIRE(Accept(house, SealTo(used)).has_value());
  REQUIRE(house.Ask(Operation::kCancelTicket, Named(cancelled), kAdmin).has_value());
  REQUIRE(house.Edit("DELETE FROM KEY_TICKET") == 2);
  REQUIRE(house.Edit("INSERT INTO KEY_TICKET SELECT * FROM KEPT") == 2);
  CHECK(AcceptRefusal(house, SealTo(used)) == Refusal::kTicketTampered);
  CHECK(AcceptRefusal(house, SealTo(cancelled)) == Refusal::kTicketTampered);
  CHECK(house.RefusalFor(Operation::kShowTicket, Named(used)) == Refusal::kTicketTampered);
}

TEST_CASE("offboard: a customer's open tickets are cancelled with the rest, and none comes back by its row", "[tickets]") {
  ServiceHouse house;
  const Ticket open = Issue(house).value(), others = Issue(house, "BARCO").value();
  REQUIRE(house.Edit("CREATE TABLE KEPT AS SELECT * FROM KEY_TICKET") >= 0);
  REQUIRE(house.Ask(Operation::kOffboard, MoveBody("ACME", "offboard", "left"), kAdmin).has_value());
  CHECK(house.Last().draft.before->at("tickets") == open.ticket_id + " OPEN");
  CHECK(house.Last().draft.after->at("tickets_cancelled") == "1");
  CHECK(AcceptRefusal(house, SealTo(open)) == Refusal::kTicketCancelled);
  REQUIRE(house.Edit("DELETE FROM KEY_TICKET") == 2);
  REQUIRE(house.Edit("INSERT INTO KEY_TICKET SELECT * FROM KEPT") == 2);
  CHECK(AcceptRefusal(house, SealTo(open)) == Refusal::kTicketTampered);
  CHECK(Accept(house, SealTo(others)).has_value());
  // Who comes back is invited anew.
  CHECK(Accept(house, SealTo(Issue(house).value())).has_value());
}

TEST_CASE("tickets are for admins, and a sealed vault only lists them", "[tickets]") {
  ServiceHouse house;
  const Ticket ticket = Issue(house).value();
  const IssueTicketRequest issue{"ACME", "anthropic", "", "", "onboarding"};
  const Bytes accept = Handing(SealTo(ticket)).Encode();
  const std::vector<std::pair<Operation, Bytes>> asks{{Operation::kIssueTicket, issue.Encode()},
                                                      {Operation::kShowTicket, Named(ticket)},
                                                      {Operation::kAcceptTicket, accept},
                                                      {Operation::kCancelTicket, Named(ticket)}};
  for (const auto& [operation, body] : asks) CHECK(house.RefusalFor(operation, body, kWorker | kAuditor) == Refusal::kNoRole);
  CHECK(house.RefusalFor(Operation::kListTickets, ListRequest{}.Encode(), kWorker) == Refusal::kNoRole);
  CHECK(Listed(house, kAuditor).size() == 1);
  REQUIRE(house.Ask(Operation::kSeal, EncodeText("an incident"), kAdmin).has_value());
  for (const auto& [operation, body] : asks) CHECK(house.RefusalFor(operation, body, kAdmin) == Refusal::kSealed);
  CHECK(Listed(house).at(0).at("status") == "OPEN");
  REQUIRE(house.Ask(Operation::kUnseal, EncodeText("over"), kAdmin).has_value());
  CHECK(house.Ask(Operation::kAcceptTicket, accept, kAdmin).has_value());
}

TEST_CASE("a ticket for a new version brings one for the same place", "[tickets]") {
  ServiceHouse house;
  const std::string old = house.Onboard("ACME", "anthropic", "ACME_DEFAULT", kAcmeKey);
  const Ticket ticket = Issue(house, "", old).value();
  CHECK(ticket.rotates == old);
  CHECK(ticket.customer == "ACME");
  AcceptTicketRequest request = Handing(SealTo(ticket, kBarcoKey));
  request.label = "ignored";
  const std::string key_ref = Accept(house, request).value();
  CHECK(key_ref == "ACME/anthropic/default/2");
  RotateKeyRequest rotate;
  rotate.old_key_ref = old;
  rotate.new_key_ref = key_ref;
  rotate.reason = "rotation";
  REQUIRE(house.Ask(Operation::kRotateKey, rotate.Encode(), kAdmin).has_value());
  CHECK(house.Opened("ACME", "ACME_DEFAULT").value() == kBarcoKey);
}

}  // namespace
}  // namespace strongroom::vault
