// What every program has in common: --help, --version, --home, exit codes, one line for what is wrong.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace strongroom::e2e {
using Json = nlohmann::ordered_json;

namespace {

const std::vector<std::string> kPrograms = {"vaultd",   "worker", "keytool",
                                            "auditlog", "batch",  "provider-sim"};

Ended Bare(House& house, const std::string& program, const std::vector<std::string>& arguments,
           const std::map<std::string, std::string>& environment = {}) {
  return Run({program, arguments, environment}, house.Path("run/bare"));
}

}  // namespace

TEST_CASE("programs: --help, --version and usage errors") {
  House house;
  for (const std::string& program : kPrograms) {
    INFO(program);
    const Ended help = Bare(house, program, {"--help"});
    REQUIRE(help.code == 0);
    REQUIRE(Has(help.out, "--home"));
    REQUIRE(Has(help.out, "--version"));
    const Ended version = Bare(house, program, {"--version"});
    REQUIRE(version.code == 0);
    REQUIRE(version.out == program + " 0.1.0\n");
    const Ended unknown = Bare(house, program, {"--no-such-flag"});
    REQUIRE(unknown.code == 2);
    REQUIRE(unknown.out.empty());
    REQUIRE(Lines(unknown.err).size() == 1);
    REQUIRE(unknown.err.starts_with(program + ": "));
    REQUIRE(unknown.err.ends_with("; see `" + program + " --help`\n"));
  }
  for (const char* program : {"keytool", "auditlog", "batch"}) {
    INFO(program);
    REQUIRE(Bare(house, program, {}).code == 2);
    REQUIRE(Bare(house, program, {"no-such-command"}).code == 2);
  }
  const std::vector<std::pair<std::string, std::vector<std::string>>> wrong = {
      {"auditlog", {"search", "--outcome", "maybe"}},
      {"auditlog", {"search", "--since", ""}},
      {"auditlog", {"search", "--until", "tomorrow"}},
      {"auditlog", {"export", "--format", "xml"}},
      {"auditlog", {"export", "--format", "bundle"}},
      {"auditlog", {"report", "\x1b[2J"}},
      {"auditlog", {"report", "uses"}},
      {"batch", {"submit", "--customer", "ACME"}},
      {"batch", {"status", "--no-such-flag", "\x1b[2J"}},
      {"keytool", {"usage", "--since", ""}},
      {"keytool", {"backup", ""}},
      {"keytool", {"kek", "destroy", "abc"}},
      {"keytool", {"kek", "destroy", "0"}},
      {"keytool", {"kek", "destroy", "-1"}},
      {"keytool", {"restore", ""}},
      {"keytool", {"kek", "backup", "--out", ""}},
      {"vaultd", {"--backup", ""}},
      {"vaultd", {"--restore", ""}},
      {"worker", {"--probe", ""}},
      {"keytool", {"profile", "set", "ACME_DEFAULT", "--rpm", "many"}},
      {"keytool", {"list", "--status", "GONE"}},
      {"provider-sim", {"--port", "0", "--fault", "no-such-fault:0.1"}}};
  for (const auto& [program, arguments] : wrong) {
    const Ended refused = Bare(house, program, arguments);
    INFO(program << " " << arguments[0] << ": " << refused.err);
    REQUIRE(refused.code == 2);
    REQUIRE(Lines(refused.err).size() == 1);
    REQUIRE(refused.err.starts_with(program + ": "));
    REQUIRE(Has(refused.err, "; see `" + program));
    REQUIRE(!Has(refused.err, "\x1b"));
  }
  for (const char* command : {"init", "onboard", "rotate", "revoke", "suspend", "resume", "list", "show",
                              "test", "status", "profile", "rate", "usage"}) {
    INFO(command);
    REQUIRE(Bare(house, "keytool", {command, "--help"}).code == 0);
  }
  const std::vector<std::pair<std::string, std::vector<std::string>>> obeyed = {
      {"worker",
       {"K3SAI_INBOUND_LIB", "K3SAI_INBOUND_QUEUE", "K3SAI_LOG_DEST", "K3SAI_TIMEOUT_MS", "K3SAI_MAX_RETRIES",
        "K3SAI_USAGE_TABLE", "K3SAI_RECYCLE_AFTER", "SIGTERM", "SIGINT", "SIGHUP"}},
      {"vaultd", {"K3SAI_KEK_PATH", "K3SAI_LOG_DEST", "SIGTERM", "SIGINT", "SIGHUP"}}};
  for (const auto& [program, names] : obeyed) {
    const Ended help = Bare(house, program, {"--help"});
    for (const std::string& name : names) {
      INFO(program << " " << name);
      REQUIRE(Has(help.out, name));
    }
  }
  for (const auto& [program, command] :
       std::vector<std::pair<std::string, std::string>>{{"keytool", "list"},
                                                        {"auditlog", "verify"},
                                                        {"auditlog", "search"},
                                                        {"auditlog", "report"},
                                                        {"batch", "submit"},
                                                        {"batch", "status"},
                                                        {"batch", "resume"}}) {
    const Ended help = Bare(house, program, {command, "--help"});
    INFO(program << " " << command);
    REQUIRE(help.code == 0);
    REQUIRE(Has(help.out, "--home"));
    REQUIRE(Has(help.out, "--json"));
  }
}

TEST_CASE("programs: a home that is missing is one line and exit 1") {
  House house;
  const std::vector<std::pair<std::string, std::vector<std::string>>> commands = {
      {"vaultd", {}},        {"worker", {}},         {"keytool", {"list"}},   {"keytool", {"status"}},
      {"batch", {"status"}}, {"keytool", {"usage"}}, {"auditlog", {"search"}},
      {"auditlog", {"report"}}, {"auditlog", {"export", "--format", "jsonl"}}};
  for (const auto& [program, arguments] : commands) {
    const Ended refused = house.Command(program, arguments);
    INFO(program << ": " << refused.err);
    REQUIRE(refused.code == 1);
    REQUIRE(refused.out.empty());
    REQUIRE(Lines(refused.err).size() == 1);
    REQUIRE(Has(refused.err, house.home()));
    REQUIRE(refused.err.starts_with(program + ": "));
  }
  REQUIRE(house.Command("auditlog", {"verify"}).code == 2);  // not checked
}

TEST_CASE("programs: --home stands before or after the subcommand, and wins over STRONGROOM_HOME") {
  House house;
  house.Init();
  house.StartVaultd();
  const std::vector<std::pair<std::string, std::vector<std::string>>> commands = {
      {"keytool", {"list"}},         {"keytool", {"status"}}, {"keytool", {"profile", "list"}},
      {"keytool", {"rate", "list"}}, {"keytool", {"usage"}},  {"batch", {"status"}},
      {"auditlog", {"verify"}},      {"auditlog", {"search"}}};
  for (const auto& [program, arguments] : commands) {
    INFO(program << " " << arguments[0]);
    std::vector<std::string> before = {"--home", house.home()}, after = arguments;
    before.insert(before.end(), arguments.begin(), arguments.end());
    after.insert(after.end(), {"--home", house.home()});
    const std::map<std::string, std::string> elsewhere = {{"STRONGROOM_HOME", house.Path("nowhere")}};
    const Ended first = Bare(house, program, before, elsewhere);
    INFO(first.err);
    REQUIRE(first.code == 0);
    REQUIRE(Bare(house, program, after, elsewhere).code == 0);
    REQUIRE(Bare(house, program, arguments, {{"STRONGROOM_HOME", house.home()}}).code == 0);
    REQUIRE(Bare(house, program, arguments, elsewhere).code != 0);
    before.insert(before.begin(), "--json");
    after.push_back("--json");
    const Ended json = Bare(house, program, before, elsewhere);
    REQUIRE(json.code == 0);
    for (const std::string& line : Lines(json.out))
      REQUIRE(!Json::parse(line, nullptr, false).is_discarded());
    REQUIRE(Bare(house, program, after, elsewhere).code == 0);
  }
}

TEST_CASE("programs: --json prints JSON and nothing else") {
  House house;
  house.Ready();
  REQUIRE(Field(house.Ask("r-1", "Hello"), "status") == "success");
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"list"},
                                             {"status"},
                                             {"usage"},
                                             {"profile", "list"},
                                             {"profile", "show", "ACME_DEFAULT"},
                                             {"rate", "list"},
                                             {"show", "ACME/anthropic/default/1"},
                                             {"kek", "status"}}) {
    std::vector<std::string> arguments = command;
    arguments.push_back("--json");
    const Ended facts = house.Keytool(arguments);
    INFO(command[0] << ": " << facts.out << facts.err);
    REQUIRE(facts.code == 0);
    REQUIRE(!Json::parse(facts.out, nullptr, false).is_discarded());
    REQUIRE(facts.err.empty());
  }
  const Ended batches = house.Batch({"status", "--json"});
  REQUIRE(!Json::parse(batches.out, nullptr, false).is_discarded());
  for (const std::string& line : house.Trail({})) REQUIRE(Json::parse(line, nullptr, false).is_object());
  for (const std::string& line : Lines(house.worker().Err() + house.vaultd().Err())) {
    const Json entry = Json::parse(line, nullptr, false);
    INFO(line);
    REQUIRE(entry.is_object());
    for (const char* field : {"ts", "pid", "level", "event"}) REQUIRE(entry.contains(field));
  }
}

TEST_CASE("programs: a key on the command line is refused and not quoted") {
  House house;
  house.Init();
  house.StartVaultd();
  const std::string key = "sk-e2e-typed-where-it-should-not-be-0000";
  const Ended refused =
      house.Act({"onboard", "ACME", "--provider", "anthropic", "--model", "claude-sonnet-4-5", key});
  REQUIRE(refused.code == 2);
  REQUIRE(!Has(refused.out + refused.err, key));
}

}  // namespace strongroom::e2e
