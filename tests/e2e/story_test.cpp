// The whole story once: keys go in, batches run on them, the trail shows it.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

namespace strongroom::e2e {
using Json = nlohmann::ordered_json;

namespace {

struct Profile {
  std::string customer, profile;
  double input_usd, output_usd;  // per million tokens, by the seeded rate card
};

void OnboardAll(House& house) {
  house.Onboard("ACME");
  house.Onboard("BARCO", "openai", "gpt-5-mini");
  house.Onboard("DELTA", "ollama", "llama3.1");
  const std::string& endpoint = house.sim().endpoint();
  const Ended hosted =
      house.Act({"onboard", "HOUSE", "--provider", "anthropic", "--model", "claude-haiku-4-5", "--mode",
                 "hosted", "--endpoint", endpoint, "--key-file", house.NewKey("house")});
  INFO(hosted.err);
  REQUIRE(hosted.code == 0);
  const Ended guest =
      house.Act({"onboard", "EPSILON", "--provider", "anthropic", "--model", "claude-haiku-4-5", "--mode",
                 "hosted", "--key-ref", "HOUSE/anthropic/default/1", "--endpoint", endpoint});
  INFO(guest.err);
  REQUIRE(guest.code == 0);
}

void CheckOutput(House& house, const std::string& input, const std::string& output,
                 const std::string& batch_id) {
  const auto asked = Lines(ReadWhole(input)), answered = Lines(ReadWhole(output));
  REQUIRE(answered.size() == asked.size());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const Json in = Json::parse(asked[i]), out = Json::parse(answered[i]);
    INFO(answered[i]);
    REQUIRE(out["id"] == in["id"]);
    REQUIRE(out["prompt"] == in["prompt"]);
    REQUIRE(out["version"] == "1.0");
    REQUIRE(out["status"] == "success");
    REQUIRE(out["request_id"] == batch_id + "-" + std::to_string(i + 1));
    REQUIRE(!out["response"].get<std::string>().empty());
    REQUIRE(!out["model_used"].get<std::string>().empty());
    for (const char* count : {"tokens_in", "tokens_out", "latency_ms"}) REQUIRE(out.contains(count));
    REQUIRE(out.contains("finish_reason"));
    // A provider sees a request as often as it was tried, and usage says how often that was.
    const std::string request_id = out["request_id"];
    REQUIRE(house.sim().CallsOf(request_id) ==
            house.Number(house.work(), "SELECT ATTEMPTS FROM USAGE_LOG WHERE REQUEST_ID = ?1", {request_id}));
  }
}

void CheckCosts(House& house, const Profile& profile) {
  const auto rows = house.work().Query(
      "SELECT TOKENS_IN, TOKENS_OUT, COST_BASIS_USD, REQUEST_ID FROM USAGE_LOG WHERE PROFILE_REF = ?1",
      {profile.profile});
  REQUIRE(rows);
  int seen = 0;
  while (true) {
    const auto more = (*rows)->Next();
    REQUIRE(more);
    if (!*more) break;
    const double in = static_cast<double>((*rows)->Int64(0)), out = static_cast<double>((*rows)->Int64(1));
    const double usd = (in * profile.input_usd + out * profile.output_usd) / 1e6;
    INFO((*rows)->Text(3) << ": " << in << " in, " << out << " out");
    REQUIRE(std::fabs((*rows)->Double(2) - usd) <= 0.5000001e-6);
    REQUIRE(std::fabs((*rows)->Double(2) * 1e6 - std::round((*rows)->Double(2) * 1e6)) < 1e-6);
    ++seen;
  }
  REQUIRE(seen > 0);
}

}  // namespace

TEST_CASE("story: from init to the trail's verdict") {
  House house;
  house.Init();
  house.StartSim({{"--fault", "429:0.05,500:0.05,529:0.05"}});
  house.StartVaultd();
  OnboardAll(house);
  house.StartWorker();

  const std::vector<Profile> profiles = {{"ACME", "ACME_DEFAULT", 3, 15},
                                         {"BARCO", "BARCO_DEFAULT", 0.25, 2},
                                         {"DELTA", "DELTA_DEFAULT", 0, 0},
                                         {"EPSILON", "EPSILON_DEFAULT", 1, 5}};
  for (const Profile& profile : profiles) {
    const int rows = profile.customer == "ACME" ? 50 : 10;
    const std::string input = house.Prompts(profile.customer + ".jsonl", rows);
    const std::string output = house.Path(profile.customer + ".replies");
    const Ended batch = house.Batch({"submit", input, "--customer", profile.customer, "--profile",
                                     profile.profile, "--out", output, "--in-flight", "16", "--json"});
    INFO(batch.out << batch.err);
    REQUIRE(batch.code == 0);
    const Json facts = Json::parse(batch.out);
    REQUIRE(facts["status"] == "complete");
    REQUIRE(facts["processed_units"] == rows);
    CheckOutput(house, input, output, facts["batch_id"]);
    CheckCosts(house, profile);
    REQUIRE(house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG WHERE CUSTOMER = ?1",
                         {profile.customer}) == rows);
  }
  REQUIRE(house.QueueEmpty());
  REQUIRE(house.Number(house.work(),
                       "SELECT COUNT(*) FROM USAGE_LOG WHERE CUSTOMER = 'EPSILON' AND KEY_REF = "
                       "'HOUSE/anthropic/default/1'") == 10);

  const Ended verified = house.Auditlog({"verify", "--json"});
  INFO(verified.out << verified.err);
  REQUIRE(verified.code == 0);
  REQUIRE(Json::parse(verified.out)["verdict"] == "verified");
}

TEST_CASE("story: what keytool and auditlog show is what was done") {
  House house;
  house.Init();
  house.StartSim();
  house.StartVaultd();
  OnboardAll(house);
  house.StartWorker();
  REQUIRE(Field(house.Ask("r-1", "Say hello."), "status") == "success");

  const Ended list = house.Keytool({"list", "--json"});
  INFO(list.out << list.err);
  REQUIRE(list.code == 0);
  const Json keys = Json::parse(list.out);
  std::set<std::string> refs;
  for (const Json& key : keys) refs.insert(key["key_ref"].get<std::string>());
  REQUIRE(refs == std::set<std::string>{"ACME/anthropic/default/1", "BARCO/openai/default/1",
                                        "HOUSE/anthropic/default/1"});
  const Ended acme = house.Keytool({"list", "--customer", "ACME", "--status", "ACTIVE", "--json"});
  REQUIRE(Json::parse(acme.out).size() == 1);

  const Ended show = house.Keytool({"show", "ACME/anthropic/default/1", "--json"});
  REQUIRE(show.code == 0);
  REQUIRE(Json::parse(show.out)["status"] == "ACTIVE");
  REQUIRE(Json::parse(show.out)["origin"].get<std::string>() == house.sim().endpoint());
  const Ended status = house.Keytool({"status", "--json"});
  REQUIRE(status.code == 0);
  REQUIRE(Json::parse(status.out)["trail"]["healthy"] == true);
  const Ended test = house.Keytool({"test", "ACME/anthropic/default/1", "--json"});
  INFO(test.out << test.err);
  REQUIRE(test.code == 0);
  REQUIRE(Json::parse(test.out).is_object());
  REQUIRE(house.Keytool({"show", "NOBODY/anthropic/default/1"}).code == 1);
  for (const char* facts : {"list", "status"}) REQUIRE(house.Keytool({facts}).code == 0);

  // Each filter finds what it should and nothing else.
  const auto released = house.Trail({"--request-id", "r-1"});
  REQUIRE(released.size() == 1);
  REQUIRE(Json::parse(released[0])["key_ref"] == "ACME/anthropic/default/1");
  REQUIRE(Json::parse(released[0])["outcome"] == "ok");
  REQUIRE(house.Trail({"--customer", "BARCO"}).size() >= 1);
  for (const auto& record : house.Trail({"--customer", "BARCO"}))
    REQUIRE(Json::parse(record)["customer"] == "BARCO");
  for (const auto& record : house.Trail({"--key-ref", "ACME/anthropic/default/1"})) {
    REQUIRE(Json::parse(record)["key_ref"] == "ACME/anthropic/default/1");
  }
  REQUIRE(house.Trail({"--customer", "NOBODY"}).empty());
  REQUIRE(house.Trail({"--outcome", "denied", "--request-id", "r-1"}).empty());
  REQUIRE(house.Trail({"--since", "1h"}).size() == house.Trail({}).size());
  REQUIRE(house.Trail({"--until", "2020-01-01"}).empty());
}

TEST_CASE("story: a second init and a second vaultd are refused, and the first goes on") {
  House house;
  house.Init();
  const std::string before = ReadWhole(house.home() + "/strongroom.toml");
  const Ended again = house.Keytool({"init"});
  REQUIRE(again.code == 1);
  REQUIRE(Lines(again.err).size() == 1);
  REQUIRE(ReadWhole(house.home() + "/strongroom.toml") == before);

  house.StartVaultd();
  const Ended second = Run({"vaultd", {"--home", house.home(), "--foreground"}}, house.Path("run/second"));
  REQUIRE(second.code == 1);
  REQUIRE(Has(second.err, "another vaultd"));
  REQUIRE(Lines(second.err).size() == 1);
  REQUIRE(house.Keytool({"status"}).code == 0);
  REQUIRE(house.vaultd().Stop().code == 0);
  REQUIRE(house.Keytool({"status"}).code == 1);
  // After kill -9 a stale socket is left behind, and replaced.
  house.StartVaultd();
  house.vaultd().Crash();
  house.StartVaultd();
  REQUIRE(house.Auditlog({"verify"}).code == 0);
}

TEST_CASE("story: onboarding without a verified key") {
  House house;
  house.Init();
  house.StartSim();
  house.StartVaultd();
  house.WriteKey("wrong", "sk-e2e-this-key-is-not-on-the-list-00000000");
  const Ended refused =
      house.Act({"onboard", "ACME", "--provider", "anthropic", "--model", "claude-sonnet-4-5", "--endpoint",
                 house.sim().endpoint(), "--key-file", house.KeyFile("wrong")});
  INFO(refused.out << refused.err);
  REQUIRE(refused.code == 1);
  REQUIRE(Has(refused.err, "401"));
  // It is held, but nothing can be called with it.
  REQUIRE(Field(house.Keytool({"show", "ACME/anthropic/default/1", "--json"}).out, "status") == "PENDING");
  house.StartWorker();
  const std::string code = Field(house.Ask("r-1", "Hello?"), "error_code");
  REQUIRE((code == "PROVIDER_AUTH" || code == "PROFILE_NOT_FOUND"));
  REQUIRE(house.sim().CallsInAll() == 0);

  const Ended taken =
      house.Act({"onboard", "BARCO", "--provider", "openai", "--model", "gpt-5-mini", "--endpoint",
                 house.sim().endpoint(), "--key-file", house.KeyFile("wrong"), "--no-verify"});
  INFO(taken.out << taken.err);
  REQUIRE(taken.code == 0);
  const std::string refusal =
      house.Ask("r-2", "Hello?", R"({"customer":"BARCO","profile_ref":"BARCO_DEFAULT"})");
  REQUIRE(Field(refusal, "error_code") == "PROVIDER_AUTH");
  REQUIRE(house.sim().CallsOf("r-2") == 1);
}

}  // namespace strongroom::e2e
