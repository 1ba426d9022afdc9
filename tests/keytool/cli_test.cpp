// keytool's command line: exit codes, and what is refused before anything is asked. No vaultd runs here.

#include "base/config.h"
#include "tests/keytool/command.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {
namespace {

using Words = std::vector<std::string>;

// Configured is a home with a strongroom.toml and nothing else: vaultd is away.
struct Configured {
  Configured() {
    std::filesystem::create_directory(home.path());
    home.File("home/strongroom.toml", base::DefaultConfigText("root"));
  }
  Home home;
};

}  // namespace

TEST_CASE("help and version exit 0") {
  CHECK(RunKeytool({"--help"}).status == 0);
  CHECK(RunKeytool({"onboard", "--help"}).status == 0);
  CHECK(RunKeytool({"profile", "set", "--help"}).status == 0);
  CHECK(Has(RunKeytool({"--version"}).out, "keytool "));
}

TEST_CASE("a wrong command line exits 2 and says why") {
  const std::vector<Words> wrong = {
      {},
      {"destroy", "ACME/anthropic/default/1"},
      {"kek"},
      {"kek", "rotate"},
      {"list", "--bogus"},
      {"list", "--status", "GONE"},
      {"show"},
      {"show", "ACME"},
      {"onboard", "ACME"},
      {"onboard", "ACME", "--provider", "nobody", "--model", "m"},
      {"onboard", "TOO-LONG-A-NAME", "--provider", "ollama", "--model", "m", "--reason", "r"},
      {"onboard", "ACME", "--provider", "ollama", "--model", "m", "--mode", "rented", "--reason", "r"},
      {"onboard", "ACME", "--provider", "ollama", "--model", "m", "--key-file", "x", "--reason", "r"},
      {"onboard", "ACME", "--provider", "openai", "--model", "m", "--endpoint", "http://127.0.0.1:1", "--reason", "r"},
      {"onboard", "ACME", "--provider", "openai", "--model", "m", "--mode", "hosted", "--reason", "r"},
      {"onboard", "ACME", "--provider", "openai", "--model", "m", "--mode", "hosted", "--key-ref", "BARCO/openai/default/1"},
      {"onboard", "ACME", "--provider", "openai", "--model", "m", "--key-ref", "HOUSE/openai/default/1", "--reason", "r"},
      {"onboard", "ACME", "--provider", "openai", "--model", "m", "--mode", "hosted", "--key-ref", "HOUSE/anthropic/default/1"},
      {"onboard", "ACME", "--provider", "openai", "--model", "m", "--rpm", "-1", "--reason", "r"},
      {"rotate", "ACME/openai/default/1", "--grace", "400d", "--reason", "r"},
      {"rate", "set", "m", "--input", "1e3", "--output", "1", "--reason", "r"},
      {"profile", "set", "ACME_DEFAULT", "--reason", "r"},
      {"profile", "set", "ACME_DEFAULT", "--temperature", "0.75", "--reason", "r"},
      {"usage", "--since", "yesterday"}};
  const Configured place;
  for (Words words : wrong) {
    std::string line;
    for (const std::string& word : words) line += " " + word;
    words.insert(words.end(), {"--home", place.home.path()});
    const Ran ran = RunKeytool(words);
    INFO("keytool" << line << ": " << ran.err);
    CHECK(ran.status == 2);
    CHECK(Has(ran.err, "keytool: "));
    CHECK(ran.out.empty());
  }
}

TEST_CASE("a word that is no command is named, unless it may be a key") {
  CHECK(Has(RunKeytool({"frobnicate"}).err, "there is no command frobnicate; see `keytool --help`"));
  CHECK(Has(RunKeytool({"kek", "frobnicate"}).err, "there is no command frobnicate; see `keytool kek --help`"));
  CHECK_FALSE(Has(RunKeytool({"abcdefghijklmnopqrst"}).err, "abcdef"));
  CHECK(Has(RunKeytool({}).err, "subcommand is required"));
}

TEST_CASE("a key pasted onto the command line is not repeated") {
  for (const Words& words : {Words{"onboard", "ACME", "--provider", "openai", "--model", "m", "sk-REDACTED-123"},
                             Words{"rotate", "ACME/openai/default/1", "--key=sk-REDACTED-123"},
                             Words{"show", "sk-REDACTED-123"}, Words{"sk-REDACTED-123"}}) {
    const Ran ran = RunKeytool(words);
    INFO(ran.err);
    CHECK(ran.status == 2);
    CHECK_FALSE(Has(ran.err, "sk-REDACTED"));
  }
  CHECK(Has(RunKeytool({"rotate", "ACME/openai/default/1", "--key=sk-REDACTED-123"}).err, "--key"));
}

TEST_CASE("without a terminal, a key and a reason must be given") {
  const Configured place;
  const Ran key = RunKeytool({"onboard", "ACME", "--provider", "openai", "--model", "m", "--reason", "r", "--home", place.home.path()});
  CHECK(key.status == 2);
  CHECK(Has(key.err, "--key-file"));
  const std::string file = place.home.File("key", "sk-REDACTED-0123456789012345\n");
  const std::vector<Words> acts = {
      {"onboard", "ACME", "--provider", "openai", "--model", "m", "--key-file", file},
      {"rotate", "ACME/openai/default/1", "--key-file", file},
      {"revoke", "ACME/openai/default/1"},
      {"suspend", "ACME/openai/default/1"},
      {"resume", "ACME/openai/default/1"},
      {"compromise", "ACME/openai/default/1"},
      {"destroy", "ACME/openai/default/1"},
      {"rate", "set", "m", "--input", "1", "--output", "1"},
      {"profile", "set", "ACME_DEFAULT", "--rpm", "5"},
      {"profile", "suspend", "ACME_DEFAULT"},
      {"profile", "resume", "ACME_DEFAULT"},
      {"profile", "terminate", "ACME_DEFAULT", "--reason", "  "}};
  for (Words words : acts) {
    words.insert(words.end(), {"--home", place.home.path()});
    const Ran ran = RunKeytool(words);
    INFO(words.front() << " " << words[1] << ": " << ran.err);
    CHECK(ran.status == 2);
    CHECK(Has(ran.err, "--reason"));
  }
}

TEST_CASE("a node's check phrase comes from a file, standard input or --phrase, and must be given without a terminal") {
  const Configured place;
  const Words confirm = {"node", "confirm", "0123456789abcdef", "--home", place.home.path(), "--reason", "new host"};
  const auto with = [&confirm](const Words& more) {
    Words words = confirm;
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const Ran none = RunKeytool(confirm);
  CHECK(none.status == 2);
  CHECK(Has(none.err, "--phrase-file"));
  const std::string file = place.home.File("phrase", "abcd-efgh\n");
  CHECK(RunKeytool(with({"--phrase", "abcd-efgh", "--phrase-file", file})).status == 2);
  const Ran missing = RunKeytool(with({"--phrase-file", place.home.path() + "/none"}));
  CHECK(missing.status == 1);
  CHECK(Has(missing.err, "No such file"));
  // What is given is not quoted; vaultd, which would judge it, is away.
  for (const Words& more : {Words{"--phrase-file", file}, Words{"--phrase", "abcd-efgh"}}) {
    const Ran ran = RunKeytool(with(more));
    CHECK(ran.status == 1);
    CHECK(Has(ran.err, "vaultd does not answer"));
    CHECK_FALSE(Has(ran.err + ran.out, "abcd-efgh"));
  }
}

TEST_CASE("no home, no vaultd, no key file: one line that says what to do, exit 1") {
  const Configured place;
  const Ran nowhere = RunKeytool({"list", "--home", place.home.path() + "/nowhere"});
  CHECK(nowhere.status == 1);
  CHECK(Has(nowhere.err, "keytool init"));
  for (const Words& words : {Words{"status", "--home", place.home.path()}, Words{"--home", place.home.path(), "list"},
                             Words{"kek", "status", "--home", place.home.path()},
                             Words{"kek", "--home", place.home.path(), "status"}}) {
    const Ran away = RunKeytool(words);
    INFO(away.err);
    CHECK(away.status == 1);
    CHECK(Has(away.err, "vaultd does not answer at " + place.home.path() + "/vaultd.sock"));
    CHECK(Has(away.err, "`vaultd --home " + place.home.path() + "`"));
  }
  const Ran json = RunKeytool({"status", "--json", "--home", place.home.path()});
  CHECK(json.status == 1);
  CHECK(json.out.starts_with("{\"error\":\"VAULTD_AWAY\""));
  const Ran file = RunKeytool({"onboard", "ACME", "--provider", "openai", "--model", "m", "--reason", "r", "--key-file",
                               place.home.path() + "/none", "--home", place.home.path()});
  CHECK(file.status == 1);
  CHECK(Has(file.err, "No such file"));
}

}  // namespace strongroom::keytool
