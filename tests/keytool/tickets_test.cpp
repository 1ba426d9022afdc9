// From an invitation to the key that comes back: invite, seal and accept as people run them, against the real vaultd.
#include <sys/stat.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "tests/keytool/command.h"
#include "tests/keytool/terminal.h"
#include "vault/labelled_text.h"
#include "vault/ticket.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {
namespace {

using Words = std::vector<std::string>;
using Json = nlohmann::json;

const std::string kKey = "sk-ant-REDACTED-0123456789", kFirst = "ACME/anthropic/default/1";

std::string Whole(const std::string& path) { return base::ReadFile(path, 1 << 20).value(); }
bool Exists(const std::string& path) { return std::filesystem::exists(path); }

// Vault is a home made by init, its vaultd, and a directory for what goes by mail.
class Vault {
 public:
  Vault() {
    REQUIRE(RunKeytool({"init", "--home", home_.path()}).status == 0);
    vaultd_ = std::make_unique<Vaultd>(home_);
  }
  // Do is an act, with a reason; Ask a question.
  Ran Do(Words words) const {
    words.insert(words.end(), {"--home", home_.path(), "--reason", "a test"});
    return RunKeytool(words);
  }
  Json Must(Words words) const {
    words.insert(words.end(), {"--reason", "a test"});
    return Ask(words);
  }
  Json Ask(Words words) const {
    words.insert(words.end(), {"--home", home_.path(), "--json"});
    const Ran ran = RunKeytool(words);
    INFO(words.front() << ": " << ran.out << ran.err);
    REQUIRE(ran.status == 0);
    return Json::parse(ran.out);
  }
  std::string Path(const std::string& name) const { return home_.path() + "/../" + name; }
  // Invite writes a ticket and returns what keytool says of it.
  Json Invite(const std::string& name, Words words = {"ACME", "--provider", "anthropic"}) const {
    words.insert(words.begin(), "invite");
    words.insert(words.end(), {"--out", Path(name)});
    return Must(words);
  }
  // Seal is what a customer runs: no home, no vault.
  Json Seal(const std::string& ticket, const std::string& blob, const std::string& key = kKey) const {
    const Ran ran = RunKeytool({"seal", "--ticket", Path(ticket), "--key-file", "-", "--out", Path(blob), "--yes", "--json", "--home", "/nowhere"},
                               key + "\n");
    INFO(ran.out << ran.err);
    REQUIRE(ran.status == 0);
    CHECK_FALSE(Has(ran.out + ran.err + Whole(Path(blob)), key));
    return Json::parse(ran.out);
  }
  Ran Accept(const std::string& blob, Words words = {"--model", "claude-opus-4-7", "--no-verify", "--yes"}) const {
    words.insert(words.begin(), {"accept", Path(blob)});
    return Do(words);
  }
  const Home& home() const { return home_; }

 private:
  Home home_;
  std::unique_ptr<Vaultd> vaultd_;
};

// A ticket of nobody's vault.
struct Posted {
  Posted() {
    ticket.vault_id = std::string(32, 'a');
    ticket.ticket_id = std::string(16, 'b');
    ticket.public_key = Bytes(32, 9);
    ticket.customer = "ACME";
    ticket.provider = "anthropic";
    ticket.origin = "https://api.anthropic.com:443";
    ticket.expires_at = base::WallMicros() / base::kMicrosPerSecond * base::kMicrosPerSecond + base::kMicrosPerDay;
    path = home.File("ticket", ticket.Print());
  }
  Home home;
  vault::Ticket ticket;
  std::string path;
};

}  // namespace

TEST_CASE("tickets: a key comes in that only its customer has seen") {
  const Vault vault;
  const Json ticket = vault.Invite("acme.ticket");
  CHECK(ticket["customer"] == "ACME");
  CHECK(ticket["origin"] == "https://api.anthropic.com:443");
  CHECK(ticket["text"].is_null());
  const Json sealed = vault.Seal("acme.ticket", "acme.blob");
  CHECK(sealed["ticket"] == ticket["ticket"]);
  const Ran accepted = vault.Accept("acme.blob", {"--model", "claude-opus-4-7", "--no-verify", "--rpm", "60", "--phrase",
                                                  sealed["check_phrase"].get<std::string>(), "--customer", "ACME"});
  INFO(accepted.out << accepted.err);
  REQUIRE(accepted.status == 0);
  CHECK(Has(accepted.out, kFirst + "  ACTIVE"));
  CHECK(vault.Ask({"show", kFirst})["status"] == "ACTIVE");
  const Json profile = vault.Ask({"profile", "show", "ACME_DEFAULT"});
  CHECK(profile["key_ref"] == kFirst);
  CHECK(profile["rate_limit_rpm"] == 60);
  const Json row = vault.Ask({"invite", "list"}).at(0);
  CHECK(row["status"] == "USED");
  CHECK(row["key_ref"] == kFirst);
}

TEST_CASE("tickets: without --out the files are on standard output, alone") {
  const Vault vault;
  const Ran invited = vault.Do({"invite", "ACME", "--provider", "openai", "--endpoint", "https://models.example/v2"});
  REQUIRE(invited.status == 0);
  const auto ticket = vault::Ticket::Parse(invited.out);
  REQUIRE(ticket.has_value());
  CHECK(ticket->origin == "https://models.example:443");
  const std::string phrase = ticket->Phrase().value();
  CHECK(Has(invited.err, phrase));
  const std::string path = vault.home().File("ticket", invited.out);
  const Ran sealed = RunKeytool({"seal", "--ticket", path, "--key-file", "-", "--phrase", phrase}, kKey);
  REQUIRE(sealed.status == 0);
  CHECK(sealed.out.starts_with("strongroom-sealed-key 1\n"));
  CHECK(Has(sealed.err, "check phrase"));
  vault.home().File("blob", sealed.out);
  REQUIRE(vault.Accept("blob").status == 0);
  CHECK(vault.Ask({"profile", "show", "ACME_DEFAULT"})["endpoint"] == "https://models.example/v2");
}

TEST_CASE("tickets: what is handed in and cannot be right is refused in words, on record") {
  const Vault vault;
  vault.Invite("ticket");
  vault.Seal("ticket", "blob");
  const auto refused = [&vault](const std::string& blob, const std::string& name, Words words = {"--yes", "--model", "m"}) {
    words.push_back("--json");
    const Ran ran = vault.Accept(blob, words);
    INFO(ran.out << ran.err);
    CHECK(ran.status == 1);
    CHECK(Json::parse(ran.out)["error"] == name);
  };
  const std::string whole = Whole(vault.Path("blob"));
  vault.home().File("cut", whole.substr(0, whole.size() / 2));
  refused("cut", "SEALED_KEY_MALFORMED");
  vault.home().File("noise", std::string("\0\xff\xfe", 3));
  refused("noise", "SEALED_KEY_MALFORMED");
  refused("ticket", "SEALED_KEY_MALFORMED");
  refused("blob", "TICKET_OF_OTHERS", {"--yes", "--model", "m", "--customer", "BARCO"});
  refused("blob", "PHRASE_WRONG", {"--phrase", "abacus abacus abacus abacus abacus abacus", "--model", "m", "--no-verify"});
  refused("missing", "NOT_FOUND");
  std::string altered = whole.substr(0, whole.find("check: "));
  char& one = altered[altered.find("box: ") + 20];
  one = one == 'B' ? 'C' : 'B';
  vault.home().File("altered", vault::WithCheckLine(altered));
  refused("altered", "SEALED_KEY_UNOPENED", {"--yes", "--model", "m", "--no-verify"});
  CHECK(vault.Accept("blob", {"--yes"}).status == 2);  // no model
  CHECK(vault.Accept("blob", {"--model", "m"}).status == 2);  // no terminal, no phrase
  CHECK(vault.Accept("blob", {"--model", "m", "--yes", "--grace", "1d"}).status == 2);
  CHECK(vault.Accept("blob", {"--model", "m", "--yes", "--endpoint", "https://elsewhere.example"}).status == 2);
  CHECK(vault.Ask({"list"}).empty());
  REQUIRE(vault.Accept("blob").status == 0);
  refused("blob", "TICKET_USED");
}

TEST_CASE("tickets: an accept that ended halfway says how to go on, and goes on") {
  const Vault vault;
  vault.Invite("ticket", {"ACME", "--provider", "anthropic", "--endpoint", "https://127.0.0.1:9"});
  vault.Seal("ticket", "blob");
  // Nobody answers at that endpoint.
  const Ran failed = vault.Accept("blob", {"--model", "m", "--yes"});
  CHECK(failed.status == 1);
  CHECK(Has(failed.err, "the key stays PENDING as " + kFirst));
  CHECK(Has(failed.err, "keytool accept " + vault.Path("blob") + " --continue --model m"));
  CHECK(vault.Ask({"show", kFirst})["status"] == "PENDING");
  const Ran again = vault.Accept("blob");
  CHECK(again.status == 1);
  CHECK(Has(again.err, "go on with `keytool accept " + vault.Path("blob") + " --continue"));
  const Ran on = vault.Accept("blob", {"--continue", "--no-verify", "--model", "m", "--yes"});
  INFO(on.err);
  REQUIRE(on.status == 0);
  CHECK(vault.Ask({"show", kFirst})["status"] == "ACTIVE");
  CHECK(vault.Ask({"list"}).size() == 1);
  CHECK(vault.Accept("blob", {"--continue", "--no-verify", "--model", "m", "--yes"}).status == 1);
}

TEST_CASE("tickets: list, resend and cancel") {
  const Vault vault;
  const Json ticket = vault.Invite("first");
  const std::string id = ticket["ticket"];
  const Json again = vault.Must({"invite", "resend", id, "--out", vault.Path("second")});
  CHECK(again["check_phrase"] == ticket["check_phrase"]);
  CHECK(Whole(vault.Path("first")) == Whole(vault.Path("second")));
  CHECK(vault.Do({"invite", "resend", id, "--out", vault.Path("second")}).status == 1);  // it is there already
  CHECK(Has(RunKeytool({"invite", "list", "--status", "OPEN", "--home", vault.home().path()}).out, id));
  vault.Seal("second", "blob");
  REQUIRE(vault.Do({"invite", "cancel", id}).status == 0);
  CHECK(vault.Accept("blob").status == 1);
  CHECK(vault.Do({"invite", "resend", id}).status == 1);
  CHECK(vault.Do({"invite", "cancel", id}).status == 1);
  CHECK(vault.Do({"invite", "cancel", "ABC"}).status == 2);
  CHECK(vault.Ask({"invite", "list", "--customer", "ACME"}).at(0)["status"] == "CANCELLED");
}

TEST_CASE("tickets: a new version of a key comes in the same way") {
  const Vault vault;
  vault.Invite("ticket");
  vault.Seal("ticket", "blob");
  REQUIRE(vault.Accept("blob").status == 0);
  const Json ticket = vault.Invite("next", {"--rotate", kFirst});
  CHECK(ticket["rotates"] == kFirst);
  vault.Seal("next", "next.blob", "sk-ant-REDACTED-another-key-1");
  CHECK(vault.Accept("next.blob").status == 2);  // a model is not asked for
  const Ran rotated = vault.Accept("next.blob", {"--no-verify", "--yes", "--grace", "1h"});
  INFO(rotated.err);
  REQUIRE(rotated.status == 0);
  CHECK(vault.Ask({"show", kFirst})["status"] == "ROTATED");
  CHECK(vault.Ask({"profile", "show", "ACME_DEFAULT"})["key_ref"] == "ACME/anthropic/default/2");
  CHECK(vault.Do({"invite", "--rotate", kFirst}).status == 1);  // ROTATED
  CHECK(vault.Do({"invite", "ACME", "--rotate", kFirst}).status == 2);
}

TEST_CASE("tickets: many at once from a table, and a second run adds what is missing") {
  const Vault vault;
  const std::string table = vault.home().File("table", "customer,provider,endpoint\nACME,anthropic,\r\nBARCO, openai ,https://models.example\n\n");
  const Words words{"invite", "--from", table, "--out", vault.Path("tickets")};
  const Json first = vault.Must(words);
  REQUIRE(first.size() == 2);
  CHECK(first.at(1)["customer"] == "BARCO");
  const auto ticket = vault::Ticket::Parse(Whole(vault.Path("tickets/BARCO.openai.ticket")));
  REQUIRE(ticket.has_value());
  CHECK(ticket->origin == "https://models.example:443");
  std::filesystem::remove(vault.Path("tickets/ACME.anthropic.ticket"));
  const Json second = vault.Must(words);
  CHECK(second.at(1) == first.at(1));
  CHECK(second.at(0)["ticket"] != first.at(0)["ticket"]);
  CHECK(vault.Ask({"invite", "list"}).size() == 3);
  // Nothing is made of a table that is not right to its end.
  for (const char* bad : {"customer,provider\nCARGO,anthropic\nCARGO,nobody\n", "customer,provider\nCARGO,anthropic\nCARGO,anthropic\n",
                          "CARGO,anthropic\n", "customer,provider\n", "customer,provider\n\"CARGO\",anthropic\n",
                          "customer,provider,endpoint\nCARGO,anthropic,http://127.0.0.1:1\n"}) {
    const Ran ran = vault.Do({"invite", "--from", vault.home().File("bad", bad), "--out", vault.Path("tickets")});
    INFO(bad << ran.err);
    CHECK(ran.status == 1);
    CHECK(Has(ran.err, "line "));
  }
  CHECK(vault.Ask({"invite", "list"}).size() == 3);
  const std::string semicolons = vault.home().File("semicolons", "\xef\xbb\xbf" "customer;provider;endpoint\r\nDELTA;anthropic;\r\n");
  CHECK(vault.Must({"invite", "--from", semicolons, "--out", vault.Path("more")}).at(0)["customer"] == "DELTA");
  CHECK(vault.Do({"invite", "--from", table}).status == 2);
}

TEST_CASE("seal --ticket: what it refuses, without a vault") {
  const Posted posted;
  const auto seal = [&posted](const Words& more, const std::string& key = kKey) {
    Words words{"seal", "--ticket", posted.path, "--key-file", "-", "--out", posted.path + ".blob"};
    words.insert(words.end(), more.begin(), more.end());
    const Ran ran = RunKeytool(words, key);
    CHECK_FALSE(Has(ran.out + ran.err, key));
    if (ran.status != 0) CHECK_FALSE(Exists(posted.path + ".blob"));
    return ran;
  };
  CHECK(seal({}).status == 2);
  CHECK(seal({"--phrase", "a", "--yes"}).status == 2);
  CHECK(Has(seal({"--phrase", "abacus abacus abacus abacus abacus abacus"}).err, "not the check phrase"));
  CHECK(Has(seal({"--yes"}, "sk ant with blanks 0123456789").err, "space"));
  CHECK(Has(seal({"--yes"}, "too-short").err, "too short"));
  CHECK(Has(seal({"--yes"}, "sk-proj-REDACTED-0123456789").err, "OpenAI"));
  CHECK(Has(seal({"--yes"}, "\"" + kKey + "\"").err, "quotes"));
  CHECK(Has(seal({"--yes"}, "ANTHROPIC_API_KEY=" + kKey).err, "behind the ="));
  CHECK(Has(seal({"--yes"}, "sk-ant-sim-****************1234").err, "whole key"));
  CHECK(seal({"--yes", "--reason", "r"}).status == 2);
  CHECK(seal({"--phrase", posted.ticket.Phrase().value()}).status == 0);
  CHECK(Has(RunKeytool({"seal", "--ticket", posted.path, "--key-file", "-", "--out", posted.path + ".blob", "--yes"}, kKey).err, "already"));
  vault::Ticket over = posted.ticket;
  over.expires_at = 0;
  CHECK(Has(RunKeytool({"seal", "--ticket", posted.home.File("over", over.Print()), "--key-file", "-", "--yes"}, kKey).err, "expired"));
  const std::string cut = posted.home.File("cut", posted.ticket.Print().substr(0, 100));
  CHECK(Has(RunKeytool({"seal", "--ticket", cut, "--key-file", "-", "--yes"}, kKey).err, "not whole"));
  CHECK(RunKeytool({"seal", "--ticket", posted.path + ".none", "--key-file", "-", "--yes"}, kKey).status == 1);
  // An empty name is no seal of the vault.
  CHECK(Has(RunKeytool({"seal", "--ticket", "", "--key-file", "-", "--yes"}, kKey).err, "--ticket"));
  CHECK(RunKeytool({"seal", "--yes"}).status == 2);
}

TEST_CASE("seal --ticket on a terminal: the phrase, then the key, which does not show") {
  const Posted posted;
  const std::string blob = posted.path + ".blob";
  Terminal terminal(STRONGROOM_KEYTOOL, {"seal", "--ticket", posted.path, "--out", blob, "--home"});
  REQUIRE(terminal.Shows("Check phrase of the ticket"));
  CHECK(terminal.Shows("ACME at anthropic, which may be sent to https://api.anthropic.com:443 alone"));
  terminal.Type("not the phrase at all, this\n");
  REQUIRE(terminal.Shows("Check phrase of the ticket", 2));
  terminal.Type(posted.ticket.Phrase().value() + "\n");
  REQUIRE(terminal.Shows("API key of ACME at anthropic"));
  REQUIRE(terminal.WaitsForEcho(false));
  terminal.Type(kKey + "\n");
  CHECK(terminal.Ended() == 0);
  CHECK(terminal.Echoes());
  CHECK_FALSE(Has(terminal.Shown(), kKey));
  CHECK(Exists(blob));
}

TEST_CASE("seal --ticket on a terminal: an interrupt at either question, or three wrong phrases, leave nothing") {
  const Posted posted;
  const std::string blob = posted.path + ".blob", phrase = posted.ticket.Phrase().value();
  const Words words{"seal", "--ticket", posted.path, "--out", blob, "--home"};
  {
    Terminal terminal(STRONGROOM_KEYTOOL, words);
    REQUIRE(terminal.Shows("Check phrase of the ticket"));
    terminal.Type("\x03");
    CHECK(terminal.Ended() == -SIGINT);
    CHECK(terminal.Echoes());
  }
  {
    Terminal terminal(STRONGROOM_KEYTOOL, words);
    REQUIRE(terminal.Shows("Check phrase of the ticket"));
    terminal.Type(phrase + "\n");
    REQUIRE(terminal.Shows("API key of ACME"));
    REQUIRE(terminal.WaitsForEcho(false));
    terminal.Type(kKey.substr(0, 9));
    terminal.Signal(SIGINT);
    CHECK(terminal.Ended() == -SIGINT);
    CHECK(terminal.Echoes());
  }
  {
    Terminal terminal(STRONGROOM_KEYTOOL, words);
    for (int i = 1; i <= 3; ++i) {
      REQUIRE(terminal.Shows("Check phrase of the ticket", i));
      terminal.Type("wrong\n");
    }
    CHECK(terminal.Ended() == 1);
  }
  CHECK_FALSE(Exists(blob));
}

TEST_CASE("accept on a terminal asks for the sealed key's phrase, and an interrupt there leaves the ticket open") {
  const Vault vault;
  vault.Invite("ticket");
  const std::string phrase = vault.Seal("ticket", "blob")["check_phrase"];
  const Words words{"accept", vault.Path("blob"), "--model", "m", "--no-verify", "--home", vault.home().path(), "--reason"};
  {
    Terminal terminal(STRONGROOM_KEYTOOL, words);
    REQUIRE(terminal.Shows("Check phrase of the sealed key"));
    terminal.Type("\x03");
    CHECK(terminal.Ended() == -SIGINT);
  }
  CHECK(vault.Ask({"invite", "list"}).at(0)["status"] == "OPEN");
  CHECK(vault.Ask({"list"}).empty());
  Terminal terminal(STRONGROOM_KEYTOOL, words);
  REQUIRE(terminal.Shows("Check phrase of the sealed key"));
  terminal.Type(phrase + "\n");
  CHECK(terminal.Ended() == 0);
  CHECK(vault.Ask({"show", kFirst})["status"] == "ACTIVE");
}

TEST_CASE("seal without --ticket seals the vault, as ever") {
  const Vault vault;
  CHECK(vault.Must({"seal"})["sealed"] == true);
  CHECK(Has(vault.Do({"invite", "ACME", "--provider", "anthropic"}).err, "sealed"));
  CHECK(vault.Must({"unseal"})["sealed"] == false);
}

}  // namespace strongroom::keytool
