// Where a key must never be: databases, logs, output, environments, command lines.
#include "tests/e2e/house.h"

#include <dirent.h>

#include <catch2/catch.hpp>
#include <filesystem>

namespace strongroom::e2e {
namespace fs = std::filesystem;

namespace {

// FilesWith lists the files under `directory` that hold one of the needles, the key files themselves aside.
std::vector<std::string> FilesWith(const std::string& directory, const std::vector<std::string>& needles) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file() || entry.path().parent_path().filename() == "keys") continue;
    const std::string text = ReadWhole(entry.path().string());
    for (const std::string& needle : needles) {
      if (Has(text, needle)) found.push_back(entry.path().string());
    }
  }
  return found;
}

// ProcessesWith lists every process on this machine whose command line or environment holds one of the
// needles.
std::vector<std::string> ProcessesWith(const std::vector<std::string>& needles) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    for (const char* file : {"/cmdline", "/environ"}) {
      const std::string text = ReadWhole(entry.path().string() + file);
      for (const std::string& needle : needles) {
        if (Has(text, needle)) found.push_back(name + file);
      }
    }
  }
  return found;
}

}  // namespace

TEST_CASE("custody: a key is in no file, output, command line or environment") {
  House house;
  house.Ready({{"--latency-ms", "20", "--fault", "429:0.1,500:0.1,cut:0.05,echo401:0.05"}});
  house.Onboard("BARCO", "openai", "gpt-5-mini");
  std::vector<std::string> needles = {house.KeyText("ACME").substr(7), house.KeyText("BARCO").substr(7)};
  Process batch = house.Spawn("batch", {"submit", house.Prompts("rows.jsonl", 60), "--customer", "ACME",
                                        "--profile", "ACME_DEFAULT", "--out", house.Path("rows.out")});
  house.SendRequest("r-1", "Hello", R"({"customer":"BARCO","profile_ref":"BARCO_DEFAULT"})");
  house.NewKey("next");
  needles.push_back(house.KeyText("next").substr(7));
  Process rotation = house.Spawn("keytool", {"rotate", "ACME/anthropic/default/1", "--key-file",
                                             house.KeyFile("next"), "--reason", "custody test"});
  while (batch.running() || rotation.running()) {
    const auto seen = ProcessesWith(needles);
    INFO((seen.empty() ? "" : seen[0]));
    REQUIRE(seen.empty());
    Pause();
  }
  REQUIRE(rotation.Wait().code == 0);
  REQUIRE(!house.AwaitReply("r-1").empty());
  house.Keytool({"test", "ACME/anthropic/default/2"});
  house.Keytool({"show", "ACME/anthropic/default/2"});
  house.Act({"revoke", "BARCO/openai/default/1"});
  // Half-way lengths too: a log that cuts a line must not leave most of a key behind.
  for (std::size_t i = 0, count = needles.size(); i < count; ++i) needles.push_back(needles[i].substr(0, 16));
  for (const std::string& file : FilesWith(house.Path(""), needles)) {
    INFO(file);
    FAIL_CHECK("a key is in a file");
  }
  house.worker().Stop();
  house.vaultd().Stop();
  REQUIRE(FilesWith(house.Path(""), needles).empty());
}

TEST_CASE("custody: a program keeps nothing of its environment that a library could obey") {
  House house;
  house.Init();
  house.StartSim();
  const std::string keylog = house.Path("tls-secrets");
  const std::map<std::string, std::string> hostile = {{"SSLKEYLOGFILE", keylog},
                                                      {"https_proxy", "http://127.0.0.1:1"},
                                                      {"HTTPS_PROXY", "http://127.0.0.1:1"},
                                                      {"ALL_PROXY", "http://127.0.0.1:1"},
                                                      {"SSL_CERT_FILE", house.Path("nowhere.pem")}};
  house.StartVaultd(hostile);
  house.Onboard("ACME");
  house.StartWorker(0, hostile);
  REQUIRE(Field(house.Ask("r-1", "Hello"), "status") == "success");
  REQUIRE(!fs::exists(keylog));
}

TEST_CASE("custody: file modes are the ones promised") {
  House house;
  house.Ready();
  const auto mode = [&](const std::string& name) {
    return static_cast<unsigned>(fs::status(house.home() + "/" + name).permissions()) & 0777U;
  };
  REQUIRE(mode("vault.db") == 0600);
  REQUIRE(mode("vault.db-wal") == 0600);
  REQUIRE(mode("kek") == 0700);
  REQUIRE(mode("kek/1.key") == 0600);
  REQUIRE(mode("strongroom.db") == 0660);
  REQUIRE(mode("strongroom.db-wal") == 0660);
  REQUIRE(mode("vaultd.sock") == 0660);
}

}  // namespace strongroom::e2e
