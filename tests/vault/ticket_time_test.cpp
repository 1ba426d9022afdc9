// Tickets as time goes by: they expire, and their private keys follow the KEK.
#include <chrono>
#include <thread>

#include "tests/vault/service_house.h"
#include "vault/key_blob.h"
#include "vault/open_vault.h"
#include "vault/ticket.h"
#include "vault/ticket_protocol.h"

namespace strongroom::vault {
namespace {

Ticket Issue(ServiceHouse& house) {
  const IssueTicketRequest request{"ACME", "anthropic", "", "", "onboarding"};
  const auto reply = house.Ask(Operation::kIssueTicket, request.Encode());
  REQUIRE(reply.has_value());
  return Ticket::Parse(DecodeText(reply->body).value()).value();
}

Result<Reply> Accept(ServiceHouse& house, const Ticket& ticket) {
  AcceptTicketRequest request;
  request.blob = base::Hex(base::AsBytes(KeyBlob::Seal(ticket, SecretProbe::Of(kAcmeKey).View()).value().Print()));
  request.reason = "onboarding";
  return house.Ask(Operation::kAcceptTicket, request.Encode());
}

Result<Reply> Cancel(ServiceHouse& house, const Ticket& ticket) {
  return house.Ask(Operation::kCancelTicket, TicketRequest{ticket.ticket_id, "not needed"}.Encode());
}

void LetExpire(ServiceHouse& house, const Ticket& ticket) {
  REQUIRE(house.Edit("UPDATE KEY_TICKET SET EXPIRES_AT = 1 WHERE TICKET_ID = ?1", {std::string_view(ticket.ticket_id)}) == 1);
}

std::string StatusOf(ServiceHouse& house, const Ticket& ticket) {
  return house.Value("SELECT STATUS FROM KEY_TICKET WHERE TICKET_ID = ?1", {std::string_view(ticket.ticket_id)});
}
std::string WrappedOf(ServiceHouse& house, const Ticket& ticket) {
  return house.Value("SELECT CAST(LENGTH(PRIVATE_KEY) AS TEXT) FROM KEY_TICKET WHERE TICKET_ID = ?1", {std::string_view(ticket.ticket_id)});
}

TEST_CASE("a ticket holds for seven days", "[tickets]") {
  ServiceHouse house;
  const base::Micros before = base::WallMicros();
  const Ticket ticket = Issue(house);
  const base::Micros holds = ticket.expires_at - before;
  CHECK(holds <= 7 * base::kMicrosPerDay + 60 * base::kMicrosPerSecond);
  CHECK(holds >= 7 * base::kMicrosPerDay - base::kMicrosPerSecond);
  LetExpire(house, ticket);
  const auto accepted = Accept(house, ticket);
  REQUIRE_FALSE(accepted.has_value());
  CHECK(RefusalOf(accepted.error()) == Refusal::kTicketExpired);
  CHECK(house.RefusalFor(Operation::kShowTicket, TicketRequest{ticket.ticket_id, "asked for"}.Encode()) == Refusal::kTicketExpired);
}

TEST_CASE("the next act on any ticket erases the private keys of those that are over", "[tickets]") {
  ServiceHouse house;
  const Ticket first = Issue(house);
  LetExpire(house, first);
  const Ticket second = Issue(house);
  CHECK(StatusOf(house, first) == "EXPIRED");
  CHECK(WrappedOf(house, first) == "0");
  CHECK(WrappedOf(house, second) == "48");
  LetExpire(house, second);
  REQUIRE(Accept(house, Issue(house)).has_value());
  CHECK(WrappedOf(house, second) == "0");
  CHECK(RefusalOf(Cancel(house, second).error()) == Refusal::kTicketExpired);
}

TEST_CASE("rows of tickets that ended a month ago are dropped, those of open ones never", "[tickets]") {
  ServiceHouse house;
  const Ticket old = Issue(house), recent = Issue(house), open = Issue(house);
  REQUIRE(Cancel(house, old).has_value());
  REQUIRE(Cancel(house, recent).has_value());
  REQUIRE(house.Edit("UPDATE KEY_TICKET SET CHANGED_AT = 1 WHERE TICKET_ID <> ?1", {std::string_view(recent.ticket_id)}) == 2);
  Issue(house);
  CHECK(house.Value("SELECT COUNT(*) FROM KEY_TICKET") == "3");
  CHECK(StatusOf(house, recent) == "CANCELLED");
  CHECK(StatusOf(house, open) == "OPEN");
}

TEST_CASE("where nobody asks for anything, the keeper erases them, on record", "[tickets]") {
  ServiceHouse house;
  const Ticket ticket = Issue(house);
  LetExpire(house, ticket);
  house.Stop();
  auto vault = LoadVault(house.config());
  REQUIRE(vault.has_value());
  (*vault)->tickets.Look(base::WallMicros());
  for (int i = 0; i < 1000 && StatusOf(house, ticket) != "EXPIRED"; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(StatusOf(house, ticket) == "EXPIRED");
  CHECK(WrappedOf(house, ticket) == "0");
  vault->reset();
  CHECK(house.Last().draft.action == "expire_tickets");
  CHECK(house.Last().draft.after->at("tickets") == "1");
}

Bytes Version(std::int64_t version) {
  KekRequest request;
  request.version = version;
  request.reason = "yearly";
  return request.Encode();
}

void BeginRotation(ServiceHouse& house) {
  REQUIRE(house.Ask(Operation::kPrepareKek, Version(0)).has_value());
  REQUIRE(house.Ask(Operation::kActivateKek, Version(2)).has_value());
}

// Rewraps to the end; the answers' sum of what did not open, and the first of it.
std::pair<std::int64_t, std::string> Rewrap(ServiceHouse& house) {
  std::pair<std::int64_t, std::string> unopened{0, ""};
  std::string next;
  do {
    const auto reply = house.Ask(Operation::kRewrapKeys, RewrapRequest{"test", next, "yearly"}.Encode());
    REQUIRE(reply.has_value());
    const auto answer = RewrapAnswer::Decode(reply->body).value();
    unopened.first += answer.unopened;
    if (unopened.second.empty()) unopened.second = answer.first_unopened;
    next = answer.next;
  } while (!next.empty());
  return unopened;
}

TEST_CASE("an open ticket keeps its KEK from being retired until it is rewrapped, and works all the while", "[tickets][kek]") {
  ServiceHouse house;
  const std::string key_ref = house.Onboard("BARCO", "openai", "BARCO_DEFAULT", kBarcoKey);
  std::vector<Ticket> tickets;
  for (int i = 0; i < 70; ++i) tickets.push_back(Issue(house));
  BeginRotation(house);
  CHECK(house.RefusalFor(Operation::kRetireKek, Version(1)) == Refusal::kKekInUse);
  CHECK(Accept(house, tickets[0]).has_value());
  CHECK(Rewrap(house).first == 0);
  CHECK(house.Value("SELECT COUNT(*) FROM KEY_TICKET WHERE KEK_VERSION = 2") == "69");
  REQUIRE(house.Ask(Operation::kRetireKek, Version(1)).has_value());
  CHECK(Accept(house, tickets[69]).has_value());
  CHECK(house.Opened("BARCO", "BARCO_DEFAULT").value() == kBarcoKey);
}

TEST_CASE("a ticket whose row was edited is left where it is by a rewrap, and named", "[tickets][kek]") {
  ServiceHouse house;
  const Ticket good = Issue(house), bad = Issue(house);
  REQUIRE(house.Edit("UPDATE KEY_TICKET SET ORIGIN = 'https://elsewhere.example:443' WHERE TICKET_ID = ?1",
                     {std::string_view(bad.ticket_id)}) == 1);
  BeginRotation(house);
  CHECK(Rewrap(house) == std::pair(std::int64_t{1}, "ticket " + bad.ticket_id));
  CHECK(house.RefusalFor(Operation::kRetireKek, Version(1)) == Refusal::kKekInUse);
  REQUIRE(Cancel(house, bad).has_value());
  REQUIRE(house.Ask(Operation::kRetireKek, Version(1)).has_value());
  CHECK(Accept(house, good).has_value());
}

TEST_CASE("a ticket under a KEK that is in use no more was put back, and is refused", "[tickets][kek]") {
  ServiceHouse house;
  const Ticket ticket = Issue(house);
  REQUIRE(house.Edit("CREATE TABLE KEPT AS SELECT * FROM KEY_TICKET") >= 0);
  BeginRotation(house);
  CHECK(Rewrap(house).first == 0);
  REQUIRE(house.Ask(Operation::kRetireKek, Version(1)).has_value());
  REQUIRE(house.Edit("DELETE FROM KEY_TICKET") == 1);
  REQUIRE(house.Edit("INSERT INTO KEY_TICKET SELECT * FROM KEPT") == 1);
  const auto accepted = Accept(house, ticket);
  REQUIRE_FALSE(accepted.has_value());
  CHECK(RefusalOf(accepted.error()) == Refusal::kTicketTampered);
}

}  // namespace
}  // namespace strongroom::vault
