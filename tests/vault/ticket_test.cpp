#include "vault/ticket.h"

#include <catch2/catch.hpp>

#include "sealed_keys_vectors.h"
#include "vault/labelled_text.h"

namespace strongroom::vault {
namespace {

Ticket Acme() {
  Ticket ticket;
  ticket.vault_id = "00112233445566778899aabbccddeeff";
  ticket.ticket_id = "0123456789abcdef";
  ticket.public_key = Bytes(32, 9);
  ticket.customer = "ACME";
  ticket.provider = "anthropic";
  ticket.origin = "https://api.anthropic.com:443";
  ticket.expires_at = base::ParseTime("2026-12-04T08:00:00Z").value();
  return ticket;
}

bool Refused(std::string_view text) {
  const auto ticket = Ticket::Parse(text);
  return !ticket && ticket.error().code() == Code::kInvalidArgument;
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

// With the last line made anew: what somebody does who alters a ticket on purpose.
std::string Altered(std::string_view from, std::string_view to) {
  std::string text = Replaced(Acme().Print(), from, to);
  text.resize(text.find("check: "));
  return WithCheckLine(text);
}

TEST_CASE("tickets of an independent program are read, and printed the same", "[ticket]") {
  for (const SealedKeyVector& one : SealedKeyVectors()) {
    const Ticket ticket = Ticket::Parse(one.ticket).value();
    CHECK(ticket.Print() == one.ticket);
  }
  const Ticket second = Ticket::Parse(SealedKeyVectors().at(1).ticket).value();
  CHECK(second.customer == "B_1");
  CHECK(second.origin == "https://[::1]:8443");
  CHECK(second.rotates == "B_1/openai/spare.2/41");
  CHECK(FormatSeconds(second.expires_at) == "2030-01-01T23:59:59Z");
}

TEST_CASE("a ticket is read as mail programs hand it over", "[ticket]") {
  const std::string text = Acme().Print();
  std::string crlf;
  for (const char c : text) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  for (const std::string& form : {text, crlf, "\n \r\n" + text + "\n\n", text.substr(0, text.size() - 1)}) {
    CHECK(Ticket::Parse(form).value() == Acme());
  }
  CHECK(Ticket::Parse(crlf).value().Digest() == Acme().Digest());
}

TEST_CASE("a ticket with any character changed, or cut anywhere, is refused", "[ticket]") {
  const std::string text = Acme().Print();
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    CHECK(Refused(changed));
    CHECK(Refused(text.substr(0, at)));
  }
  CHECK(Refused("> " + text));
  CHECK(Refused("Dear customer,\n" + text));
  CHECK(Refused(text + "Kind regards"));
  CHECK(Refused(text + std::string(8192, '\n')));
}

TEST_CASE("a ticket that is whole, but says what no ticket says, is refused", "[ticket]") {
  CHECK(Ticket::Parse(Altered("ACME", "ACMF")).has_value());
  CHECK(Refused(Altered("ticket 1", "ticket 2")));
  CHECK(Refused(Altered("customer: ACME", "customer: A/B")));
  CHECK(Refused(Altered("customer: ACME", "customer:  ACME")));
  CHECK(Refused(Altered("customer: ACME", "client: ACME")));
  CHECK(Refused(Altered("customer: ACME\n", "")));
  CHECK(Refused(Altered("customer: ACME\n", "customer: ACME\ncustomer: ACME\n")));
  CHECK(Refused(Altered("provider: anthropic", "provider: Anthropic")));
  CHECK(Refused(Altered("https://api.anthropic.com:443", "https://api.anthropic.com")));
  CHECK(Refused(Altered("https://api.anthropic.com:443", "http://api.anthropic.com:80")));
  CHECK(Refused(Altered("rotates: none", "rotates: ")));
  CHECK(Refused(Altered("rotates: none", "rotates: BARCO/anthropic/default/1")));
  CHECK(Refused(Altered("rotates: none", "rotates: ACME/openai/default/1")));
  CHECK(Ticket::Parse(Altered("rotates: none", "rotates: ACME/anthropic/default/1")).has_value());
  CHECK(Refused(Altered("08:00:00Z", "08:00:00.000000Z")));
  CHECK(Refused(Altered("2026-12-04T08:00:00Z", "2026-12-04")));
  CHECK(Refused(Altered("2026-12-04", "2026-13-04")));
  CHECK(Refused(Altered("0123456789abcdef", "0123456789ABCDEF")));
  CHECK(Refused(Altered("public-key: CQkJ", "public-key: CQ==")));
  CHECK(Refused(Altered("public-key: C", "public-key: CA")));
  CHECK(Refused(Altered("check: ", "note: more\ncheck: ")));
}

}  // namespace
}  // namespace strongroom::vault
