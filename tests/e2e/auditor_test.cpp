// An auditor's day at a vault that serves: what is handed out, and what is asked.
#include "tests/e2e/house.h"

#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <fstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace strongroom::e2e {
namespace {

using Json = nlohmann::json;

constexpr const char* kRef = "ACME/anthropic/default/1";

Json Report(House& house, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "report");
  arguments.push_back("--json");
  const Ended ended = house.Auditlog(arguments);
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 0);
  return Json::parse(ended.out);
}

Ended Must(Ended ended) {
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 0);
  return ended;
}

Json Rows(const Json& report) { return report.at("sections").at(0).at("rows"); }

}  // namespace

TEST_CASE("auditor: records, tiles, bundle and events of a vault that serves") {
  House house;
  house.Ready();
  REQUIRE_FALSE(house.Ask("r-1", "hello").empty());
  REQUIRE(house.Act({"suspend", kRef}).code == 0);
  const auto export_as = [&](const std::string& format, const std::string& name) {
    const Ended ended = house.Auditlog({"export", "--format", format, "--out", house.Path(name)});
    INFO(ended.err);
    REQUIRE(ended.code == 0);
    return ReadWhole(house.Path(name));
  };
  auto records = Lines(export_as("jsonl", "trail.jsonl"));
  // That it is read is on record, as what is read last.
  CHECK(Json::parse(records.back()).at("action") == "read_trail");
  CHECK(Json::parse(records.back()).at("purpose").get<std::string>().starts_with("export --format jsonl --out "));
  records.pop_back();
  REQUIRE(records == house.Trail({}));
  for (const std::string format : {"ocsf", "rfc5424"}) REQUIRE(Lines(export_as(format, format)).size() > records.size());
  const Json event = Json::parse(Lines(ReadWhole(house.Path("ocsf"))).at(records.size() - 1));
  CHECK(event.at("type_uid") == 300403);
  CHECK(event.at("raw_data") == records.back());
  REQUIRE(house.Auditlog({"export", "--format", "bundle", "--out", house.Path("bundle")}).code == 0);
  // What the first record says signs is what the bundle holds.
  const std::string vkey = Json::parse(records.front()).at("after").at("verifier_key");
  CHECK(ReadWhole(house.Path("bundle/vkey")) == vkey + "\n");
  const std::string size = Lines(ReadWhole(house.Path("bundle/checkpoint"))).at(1);
  CHECK(std::stoull(size) > records.size());
  CHECK(ReadWhole(house.Path("bundle/tile/0/000.p/" + size)).size() == 32 * std::stoull(size));
  CHECK(ReadWhole(house.Path("bundle/tile/entries/000.p/" + size)).find(records.back()) != std::string::npos);
  const Ended verified = house.Auditlog({"verify", "--bundle", house.Path("bundle"), "--vkey", vkey});
  INFO(verified.out << verified.err);
  CHECK(verified.code == 0);
  CHECK(house.Auditlog({"export", "--format", "tiles", "--out", house.Path("bundle")}).code == 1);
}

TEST_CASE("auditor: a checkpoint on demand, also of a vault that is away, and none of one that is sealed") {
  House house;
  house.Ready();
  const std::string vkey = Lines(Must(house.Auditlog({"vkey"})).out).front();
  const auto asked = Must(house.Auditlog({"checkpoint"}));
  CHECK(asked.err.empty());
  const std::string file = house.Path("noted");
  std::ofstream(file) << asked.out;
  const Json json = Json::parse(Must(house.Auditlog({"checkpoint", "--json"})).out);
  CHECK(json.at("note").get<std::string>().starts_with(json.at("origin").get<std::string>() + "\n"));
  CHECK(json.at("size") == std::stoll(Lines(asked.out).at(1)) + 1);
  Must(house.Auditlog({"verify", "--vkey", vkey, file}));
  Must(house.Act({"seal"}));
  const Ended sealed = house.Auditlog({"checkpoint"});
  CHECK(sealed.code == 1);
  CHECK(sealed.out.empty());
  CHECK(sealed.err.find("unseal") != std::string::npos);
  CHECK(house.Auditlog({"verify"}).code == 3);
  Must(house.Act({"unseal"}));
  CHECK(house.vaultd().Stop().code == 0);
  const Ended away = Must(house.Auditlog({"checkpoint"}));
  CHECK(away.err.find("newest checkpoint that it kept") != std::string::npos);
  std::ofstream(house.Path("kept")) << away.out;
  Must(house.Auditlog({"verify", "--vkey", vkey, file, house.Path("kept"), house.home() + "/checkpoints/checkpoint"}));
  // What is read of a vault that is away goes without a record, and says so.
  CHECK(Must(house.Auditlog({"search"})).err.find("not recorded") != std::string::npos);
  CHECK(Must(house.Auditlog({"search", "--db", house.home() + "/vault.db"})).err.empty());
}

TEST_CASE("auditor: a vault that cannot write any more can be looked into") {
  const auto before = std::signal(SIGXFSZ, SIG_IGN);  // vaultd inherits it: past the limit EFBIG, as ENOSPC on a full disk
  House house;
  house.Ready();
  std::signal(SIGXFSZ, before);
  const rlimit none{0, 0};
  REQUIRE(prlimit(house.vaultd().pid(), RLIMIT_FSIZE, &none, nullptr) == 0);
  const Ended found = Must(house.Auditlog({"search", "--limit", "1"}));
  CHECK_FALSE(found.out.empty());
  CHECK(found.err.find("this read is not recorded") != std::string::npos);
}

TEST_CASE("auditor: waiting for a vaultd that is stopped is told, and ends") {
  House house;
  house.Ready();
  house.vaultd().Signal(SIGSTOP);
  const auto begun = std::chrono::steady_clock::now();
  const Ended found = house.Auditlog({"search", "--limit", "1"});
  house.vaultd().Signal(SIGCONT);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(20));
  CHECK(found.code == 0);
  CHECK(found.err.find("waiting for vaultd") < found.err.find("this read is not recorded"));
}

TEST_CASE("auditor: after a crash the next step is told") {
  House house;
  house.Ready();
  house.vaultd().Crash();
  const Ended crashed = house.Auditlog({"verify"});
  INFO(crashed.out << crashed.err);
  CHECK((crashed.code == 0 || crashed.out.find("start vaultd") != std::string::npos));
  house.StartVaultd();
  Must(house.Auditlog({"verify"}));
}

TEST_CASE("auditor: who used a key, one request end to end, and the review") {
  House house;
  house.Ready();
  REQUIRE_FALSE(house.Ask("r-1", "hello").empty());
  REQUIRE(house.Act({"suspend", kRef}).code == 0);
  REQUIRE_FALSE(house.Ask("r-2", "hello").empty());
  const Json uses = Rows(Report(house, {"uses", kRef}));
  CHECK(uses.at(uses.size() - 2).at("request") == "r-1");
  CHECK(uses.back().at("outcome") == "denied");
  const Json steps = Rows(Report(house, {"request", "r-1"}));
  const std::string all = steps.dump();
  INFO(all);
  for (const char* what : {"resolve", "reply queued", "reply taken", "call settled"}) CHECK(all.find(what) != std::string::npos);
  CHECK(Rows(Report(house, {"key", kRef})).back().at("status_after") == "SUSPENDED");
  CHECK(Rows(Report(house, {"denied"})).at(0).at("reason") == "KEY_SUSPENDED");
  CHECK(Rows(Report(house, {"unused", "--days", "1"})).empty());
  CHECK(Rows(Report(house, {"outside-worker"})).size() == 1);  // the probe at the onboarding
  const Json review = Report(house, {});
  CHECK(review.at("sections").at(0).at("rows").at(0).at("verdict") == "verified");
  CHECK(review.at("sections").at(2).at("rows").at(0).at("last_used").is_string());
  for (const Json& section : review.at("sections")) CHECK(section.at("query").get<std::string>().size() > 10);
}

}  // namespace strongroom::e2e
