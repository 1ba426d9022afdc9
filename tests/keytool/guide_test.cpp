// keytool onboard as a person meets it: questions on a terminal, each of which can be taken back.
#include "tests/keytool/terminal.h"
#include "tests/keytool/vault.h"

namespace strongroom::keytool {
namespace {

const std::string kKey = "ACME/anthropic/default/1";

struct Guided {
  explicit Guided(const std::string& more = "")
      : terminal("/bin/sh", {"-c", std::string("exec ") + STRONGROOM_KEYTOOL + " --home " + vault.home().path() + " onboard --no-verify " + more}) {}
  void Answer(const std::string& question, const std::string& answer) {
    INFO(question);
    REQUIRE(terminal.Shows(question));
    terminal.Type(answer + "\n");
  }
  Vault vault;
  Terminal terminal;
};

}  // namespace

TEST_CASE("onboard: what is missing is asked for, a wrong answer again, and each answer can be taken back") {
  Guided guide;
  guide.Answer("Customer, 1 to 10", "much too long a name");
  REQUIRE(guide.terminal.Shows("Customer, 1 to 10", 2));
  guide.terminal.Type("BARCO\n");
  guide.Answer("Provider:", "<");
  REQUIRE(guide.terminal.Shows("Customer, 1 to 10", 3));
  guide.terminal.Type("ACME\n");
  REQUIRE(guide.terminal.Shows("Provider:", 2));
  guide.terminal.Type("bedrock\n");
  REQUIRE(guide.terminal.Shows("one of anthropic, openai, ollama"));
  guide.terminal.Type("anthropic\n");
  guide.Answer("Model, where", "claude");
  guide.Answer("Whose key:", "");
  guide.Answer("Who has the key:", "t");
  guide.Answer("URL of the provider", "");
  guide.Answer("Name of the profile, which requests give [ACME_DEFAULT]", "");
  guide.Answer("Requests a minute [none]", "60");
  guide.Answer("Tokens a minute [none]", "lots");
  REQUIRE(guide.terminal.Shows("a whole number above 0, or none"));
  guide.terminal.Type("\n");
  guide.Answer("Tokens a month [none]", "1000000");
  guide.Answer("Reason, for the trail", "a new customer");
  REQUIRE(guide.terminal.Shows("60 requests a minute, 1000000 tokens a month"));
  guide.Answer("Go on (y)", "no");
  REQUIRE(guide.terminal.Shows("Go on (y)", 2));
  guide.terminal.Type("y\n");
  guide.Answer("it does not show", "short");
  REQUIRE(guide.terminal.Shows("it does not show", 2));
  guide.terminal.Type("sk-ant-REDACTED-the-first-one\n");
  CHECK(guide.terminal.Ended() == 0);
  const std::string profile = guide.vault.Must({"profile", "show", "ACME_DEFAULT", "--json"});
  CHECK(Has(profile, "\"rate_limit_rpm\":60"));
  CHECK(Has(profile, "\"rate_limit_tpm\":null"));
  CHECK(Has(profile, "\"monthly_quota_tokens\":1000000"));
  CHECK(Has(guide.vault.Must({"show", kKey}), "ACTIVE"));
}

TEST_CASE("onboard: interrupted at any question, nothing is done") {
  const std::vector<std::pair<std::string, std::string>> answers = {
      {"Customer, 1", "ACME"}, {"Provider:", "anthropic"}, {"Model,", "claude"}, {"Whose key:", ""}, {"Who has", ""}, {"URL of", ""}, {"Name of", ""},
      {"Requests a minute", ""}, {"Tokens a minute", ""}, {"Tokens a month", ""}, {"Reason,", "new"}, {"Go on", "y"}, {"it does not show", "\x03"}};
  for (std::size_t stop = 0; stop < answers.size(); stop += 3) {
    const char* way = GENERATE("\x03", "\x04");
    Guided guide;
    for (std::size_t at = 0; at < stop; ++at) guide.Answer(answers[at].first, answers[at].second);
    REQUIRE(guide.terminal.Shows(answers[stop].first));
    guide.terminal.Type(way);
    CHECK(guide.terminal.Ended() != 0);
    CHECK(guide.terminal.WaitsForEcho(true));
    CHECK(Has(guide.vault.Must({"list"}), "no keys"));
  }
}

TEST_CASE("onboard: what the command line says is not asked, and without a terminal nothing is") {
  Guided guide("ACME --provider anthropic --rpm 5 --tpm 6 --quota 7 --profile P --reason r");
  guide.Answer("Model, where", "claude");
  guide.Answer("Whose key:", "");
  guide.Answer("Who has", "");
  guide.Answer("URL of", "");
  REQUIRE(guide.terminal.Shows("5 requests a minute, 6 tokens a minute, 7 tokens a month"));
  CHECK_FALSE(Has(guide.terminal.Shown(), "Customer, 1"));
  CHECK_FALSE(Has(guide.terminal.Shown(), "Name of"));
  guide.terminal.Type("\x03");
  CHECK(guide.terminal.Ended() != 0);
  const Ran ran = guide.vault.Do({"onboard", "ACME", "--reason", "r"});
  CHECK(ran.status == 2);
  CHECK(Has(ran.err, "CUSTOMER, --provider and --model are needed"));
}

TEST_CASE("onboard: the house's one key is offered to who is hosted") {
  Guided guide("--reason r --provider anthropic");
  guide.vault.Must({"onboard", "HOUSE", "--provider", "anthropic", "--model", "m", "--mode", "hosted", "--no-verify", "--key-file", "-", "--reason", "r"},
                   "sk-ant-REDACTED-the-house-one");
  guide.Answer("Customer, 1", "CARGO");
  guide.Answer("Model,", "claude");
  guide.Answer("Whose key:", "hosted");
  guide.Answer("[HOUSE/anthropic/default/1]", "");
  guide.Answer("Name of", "");
  guide.Answer("Requests a minute", "");
  guide.Answer("Tokens a minute", "");
  guide.Answer("Tokens a month", "");
  REQUIRE(guide.terminal.Shows("HOUSE/anthropic/default/1, held already"));
  guide.Answer("Go on", "y");
  CHECK(guide.terminal.Ended() == 0);
  CHECK(Has(guide.vault.Must({"profile", "show", "CARGO_DEFAULT"}), "HOUSE/anthropic/default/1"));
}

TEST_CASE("onboard: the house's own key is hosted, wherever its name was said, and what was taken back is forgotten") {
  {
    Guided guide("HOUSE");
    guide.Answer("Provider:", "anthropic");
    guide.Answer("Model, where", "claude");
    guide.Answer("Who has the key:", "t");
    guide.Answer("URL of the provider", "");
    guide.Answer("Name of the profile", "");
    guide.Answer("Requests a minute [none]", "");
    guide.Answer("Tokens a minute [none]", "");
    guide.Answer("Tokens a month [none]", "");
    guide.Answer("Reason, for the trail", "the house's own");
    REQUIRE(guide.terminal.Shows("hosted: other customers' profiles may use this key"));
    guide.Answer("Go on (y)", "y");
    guide.Answer("it does not show", "sk-ant-REDACTED-the-house-one");
    CHECK(guide.terminal.Ended() == 0);
    CHECK(Has(guide.vault.Must({"show", "HOUSE/anthropic/default/1", "--json"}), "\"hosted\":\"Y\""));
  }
  Guided guide("ACME --provider anthropic --reason new");
  guide.vault.Must({"onboard", "HOUSE", "--mode", "hosted", "--provider", "anthropic", "--model", "claude", "--no-verify", "--reason", "ours", "--key-file",
                    guide.vault.home().File("house", "sk-ant-REDACTED-the-house-one\n")});
  guide.Answer("Model, where", "claude");
  guide.Answer("Whose key:", "byok");
  guide.Answer("Who has the key:", "c");
  guide.Answer("URL of the provider", "<");
  REQUIRE(guide.terminal.Shows("Who has the key:", 2));
  guide.terminal.Type("<\n");
  REQUIRE(guide.terminal.Shows("Whose key:", 2));
  guide.terminal.Type("hosted\n");
  guide.Answer("Which key of the house's", "");
  guide.Answer("Name of the profile", "");
  guide.Answer("Requests a minute [none]", "");
  guide.Answer("Tokens a minute [none]", "");
  guide.Answer("Tokens a month [none]", "");
  REQUIRE(guide.terminal.Shows("HOUSE/anthropic/default/1, held already"));
  guide.Answer("Go on (y)", "y");
  CHECK(guide.terminal.Ended() == 0);
  CHECK(Has(guide.vault.Must({"profile", "show", "ACME_DEFAULT"}), "HOUSE/anthropic/default/1"));
  CHECK(guide.vault.Must({"invite", "list", "--json"}) == "[]\n");
}

TEST_CASE("a key that is held already is pointed out, and not whose it is") {
  const Vault vault;
  vault.Onboard();
  const std::string shown = vault.Must({"show", kKey, "--json"});
  CHECK(Has(shown, "\"also_held\":false"));
  const Words second{"onboard", "BARCO", "--provider", "anthropic", "--model", "m", "--no-verify", "--key-file", "-", "--reason", "r"};
  const Ran other = vault.Do(second, "sk-ant-REDACTED-quite-another");
  CHECK(other.status == 0);
  CHECK_FALSE(Has(other.err, "held already"));
  const Ran same = vault.Do({"rotate", kKey, "--no-verify", "--key-file", "-", "--reason", "r"}, "sk-ant-REDACTED-quite-another");
  CHECK(same.status == 0);
  CHECK(Has(same.err, "the same key is held already"));
  CHECK_FALSE(Has(same.err + same.out, "BARCO"));
}

}  // namespace strongroom::keytool
