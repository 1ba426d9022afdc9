// Bad surroundings: one clear line, exit 1, nothing half-done.
#include "tests/e2e/house.h"
#include "tests/e2e/stranger.h"

#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace strongroom::e2e {
namespace fs = std::filesystem;

namespace {

void NotChecked(const char* why) {
  WARN("not checked: " << why);
}

// RefusedVaultd starts vaultd on a home that it must refuse, in one line that holds `part`.
void RefusedVaultd(House& house, const std::string& part,
                   const std::map<std::string, std::string>& environment = {}) {
  const Ended refused = house.Spawn("vaultd", {}, environment).Wait();
  INFO(part << ": " << refused.err);
  REQUIRE(refused.code == 1);
  REQUIRE(Lines(refused.err).size() == 1);
  REQUIRE(refused.err.starts_with("vaultd: "));
  REQUIRE(Has(refused.err, part));
  REQUIRE(!fs::exists(house.home() + "/vaultd.sock"));
}

// SmallDisk is a tmpfs of its own; `mounted` is false where that is not allowed.
class SmallDisk {
 public:
  SmallDisk(std::string path, const char* options) : path_(std::move(path)) {
    fs::create_directory(path_);
    mounted_ = mount("tmpfs", path_.c_str(), "tmpfs", 0, options) == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  void Fill() const {
    std::ofstream file(path_ + "/filler", std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), 4096).flush()) {
    }
  }
  void Empty() const { fs::remove(path_ + "/filler"); }

 private:
  std::string path_;
  bool mounted_ = false;
};

}  // namespace

TEST_CASE("environment: a KEK that is no KEK") {
  House house;
  house.Init();
  const std::string path = house.home() + "/kek/1.key", kek = ReadWhole(path);
  REQUIRE(kek.size() == 32);
  for (const std::size_t size : {0U, 31U, 33U, 64U}) {
    std::string wrong = kek + kek;
    wrong.resize(size);
    WriteWhole(path, wrong);
    RefusedVaultd(house, "1.key");
  }
  WriteWhole(path, std::string(32, 'k'));  // right in size, and another key
  RefusedVaultd(house, "");
  WriteWhole(path, kek);
  for (const mode_t mode : {0644U, 0640U, 0604U, 0660U}) {
    REQUIRE(chmod(path.c_str(), mode) == 0);
    RefusedVaultd(house, "1.key");
  }
  REQUIRE(chmod(path.c_str(), 0600) == 0);
  fs::rename(path, house.Path("away.key"));
  fs::create_symlink(house.Path("away.key"), path);
  RefusedVaultd(house, "1.key");
  fs::remove(path);
  fs::rename(house.Path("away.key"), path);
  house.StartVaultd();
  REQUIRE(house.Auditlog({"verify"}).code == 0);
}

TEST_CASE("environment: K3SAI_KEK_PATH names a KEK elsewhere") {
  House house;
  house.Init();
  fs::rename(house.home() + "/kek/1.key", house.Path("kek-elsewhere"));
  house.StartVaultd({{"K3SAI_KEK_PATH", house.Path("kek-elsewhere")}});
  REQUIRE(house.Keytool({"status"}).code == 0);
}

TEST_CASE("environment: strongroom.toml with a mistake names the line") {
  House house;
  house.Init();
  const std::string path = house.home() + "/strongroom.toml", good = ReadWhole(path);
  const std::vector<std::string> mistakes = {"colour = \"blue\"\n", "in_flight = \"many\"\n",
                                             "in_flight = 0\n", "broken\n"};
  for (const std::string& mistake : mistakes) {
    std::string text = good;
    const std::size_t at = text.find("in_flight");
    const std::size_t end = text.find('\n', at) + 1;
    text.replace(at, end - at, mistake);
    WriteWhole(path, text);
    const auto line = 1 + std::count(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    for (const char* program : {"vaultd", "worker"}) {
      const Ended refused = house.Command(program, {});
      INFO(program << " " << mistake << refused.err);
      REQUIRE(refused.code == 1);
      REQUIRE(Lines(refused.err).size() == 1);
      REQUIRE(Has(refused.err, "strongroom.toml:" + std::to_string(line)));
    }
    REQUIRE(house.Keytool({"list"}).code == 1);
    REQUIRE(house.Batch({"status"}).code == 1);
  }
}

TEST_CASE("environment: no vaultd") {
  House house;
  house.Ready();
  house.vaultd().Stop();
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"list"}, {"status"}, {"profile", "list"}, {"show", "ACME/anthropic/default/1"}}) {
    const Ended refused = house.Keytool(command);
    INFO(refused.err);
    REQUIRE(refused.code == 1);
    REQUIRE(Lines(refused.err).size() == 1);
  }
  const Ended onboard = house.Act({"onboard", "NEW", "--provider", "anthropic", "--model",
                                   "claude-sonnet-4-5", "--key-file", house.NewKey("NEW")});
  REQUIRE(onboard.code == 1);
  REQUIRE(Lines(onboard.err).size() == 1);
  // The worker waits for it, within the request's own deadline.
  const std::string reply = house.Ask("r-1", "Hello", R"({"timeout_ms":800})");
  INFO(reply);
  REQUIRE(Field(reply, "error_code") == "TIMEOUT");
  house.SendRequest("r-2", "Hello");
  house.StartVaultd();
  REQUIRE(Field(house.AwaitReply("r-2"), "status") == "success");
}

TEST_CASE("environment: a socket that somebody else owns is told nothing") {
  if (geteuid() != 0) return NotChecked("needs root");
  House house;
  house.Init();
  fs::create_directory(house.Path("open"));
  REQUIRE(chmod(house.Path("").c_str(), 0711) == 0);
  REQUIRE(chmod(house.Path("open").c_str(), 0777) == 0);
  house.SetConfig("socket", "\"" + house.Path("open/vaultd.sock") + "\"");
  const Stranger stranger(house.Path("open/vaultd.sock"), 65534);
  const Ended list = house.Keytool({"list"});
  INFO(list.err);
  REQUIRE(list.code == 1);
  REQUIRE(Lines(list.err).size() == 1);
  const Ended onboard = house.Act({"onboard", "ACME", "--provider", "anthropic", "--model",
                                   "claude-sonnet-4-5", "--key-file", house.NewKey("ACME"), "--no-verify"});
  REQUIRE(onboard.code == 1);
  house.StartWorker();
  const std::string reply = house.Ask("r-1", "Hello", R"({"timeout_ms":1500})");
  INFO(reply);
  REQUIRE(Field(reply, "status") == "error");
  REQUIRE(stranger.BytesHeard() == 0);
}

TEST_CASE("environment: a peer without a role is closed unheard, and counted on the trail") {
  if (geteuid() != 0) return NotChecked("needs root");
  House house;
  fs::create_directory(house.home());
  REQUIRE(chmod(house.Path("").c_str(), 0711) == 0);
  house.Ready();
  REQUIRE(chmod(house.home().c_str(), 0755) == 0);
  REQUIRE(chmod((house.home() + "/vaultd.sock").c_str(), 0666) == 0);
  REQUIRE(chmod((house.home() + "/strongroom.toml").c_str(), 0644) == 0);
  fs::copy_file(std::string(STRONGROOM_BIN) + "/keytool", house.Path("keytool"));
  REQUIRE(chmod(house.Path("keytool").c_str(), 0755) == 0);
  const Ended refused =
      Run({house.Path("keytool"), {"list", "--home", house.home()}, {}, "", 65534}, house.Path("run/nobody"));
  INFO(refused.out << refused.err);
  REQUIRE(refused.code == 1);
  REQUIRE(!Has(refused.out, "ACME"));
  house.vaultd().Stop();
  REQUIRE(!house.Trail({"--outcome", "denied"}).empty());
  REQUIRE(house.Auditlog({"verify"}).code == 0);
}

TEST_CASE("environment: init on a full disk leaves nothing behind") {
  House house;
  const SmallDisk disk(house.Path("small"), "size=96k");
  if (!disk.mounted()) return NotChecked("cannot mount a tmpfs");
  const std::string home = house.Path("small/home");
  const Ended refused = Run({"keytool", {"init", "--home", home}}, house.Path("run/init"));
  INFO(refused.out << refused.err);
  REQUIRE(refused.code == 1);
  REQUIRE(Lines(refused.err).size() == 1);
  REQUIRE(!fs::exists(home));
}

TEST_CASE("environment: a full disk under vault.db releases no key, says so, and recovers") {
  House house;
  house.Init();
  const SmallDisk disk(house.Path("small"), "size=4m");
  if (!disk.mounted()) return NotChecked("cannot mount a tmpfs");
  for (const char* part : {"vault.db", "vault.db-wal", "vault.db-shm"}) {
    if (!fs::exists(house.home() + "/" + part)) continue;
    fs::copy_file(house.home() + "/" + part, house.Path("small/") + part);
    fs::remove(house.home() + "/" + part);
  }
  const std::string toml = house.home() + "/strongroom.toml";
  std::string text = ReadWhole(toml);
  const std::string old_url = "sqlite:vault.db";
  text.replace(text.find(old_url), old_url.size(), "sqlite:" + house.Path("small/vault.db"));
  WriteWhole(toml, text);
  house.StartSim();
  house.StartVaultd();
  house.Onboard("ACME");
  house.StartWorker();
  REQUIRE(Field(house.Ask("before", "Hello"), "status") == "success");

  disk.Fill();
  // The log's file has some room left in it: sooner or later there is none.
  std::string refused;
  std::string last;
  for (int i = 0; i < 3000 && refused.empty(); ++i) {
    last = "full-" + std::to_string(i);
    const std::string reply = house.Ask(last, "Hello", R"({"timeout_ms":3000})");
    if (Field(reply, "status") != "success") refused = reply;
  }
  INFO(refused << house.vaultd().Err().substr(0, 4000));
  REQUIRE(!refused.empty());
  REQUIRE(house.sim().CallsOf(last) == 0);
  REQUIRE(Has(Field(refused, "error_message"), "audit record cannot be written"));
  REQUIRE(Has(house.worker().Err(), "TRAIL_UNAVAILABLE"));
  REQUIRE(house.vaultd().running());
  // Room was kept for this day: what is refused is on record, and a key can be stopped.
  REQUIRE(Has(house.vaultd().Err(), "reserve_given_up"));
  REQUIRE(Field(house.Ask("on-record", "Hello", R"({"timeout_ms":2000})"), "status") != "success");
  const auto on_record = house.Trail({"--request-id", "on-record"});
  REQUIRE_FALSE(on_record.empty());
  REQUIRE(Field(on_record.back(), "reason") == "TRAIL_UNAVAILABLE");
  REQUIRE(Field(on_record.back(), "outcome") == "error");
  REQUIRE(Has(house.Keytool({"status"}).err, "disk is full"));
  REQUIRE(house.Act({"suspend", "ACME/anthropic/default/1"}).code == 0);
  REQUIRE(house.Act({"resume", "ACME/anthropic/default/1"}).code == 0);

  disk.Empty();
  REQUIRE(Eventually(
      [&] { return Field(house.Ask("after-" + std::to_string(NowMs()), "Hello"), "status") == "success"; }));
  REQUIRE(Field(house.Keytool({"show", "ACME/anthropic/default/1", "--json"}).out, "status") == "ACTIVE");
  REQUIRE(house.Auditlog({"verify"}).code == 0);
  // No call without its record.
  std::map<std::string, int> released;
  for (const std::string& record : house.Trail({"--outcome", "ok", "--customer", "ACME"}))
    ++released[Field(record, "request_id")];
  for (const auto& [request, times] : house.sim().Calls()) {
    INFO(request);
    REQUIRE(released[request] >= times);
  }
}

TEST_CASE("environment: a work database that somebody holds locked is waited for") {
  House house;
  house.Ready();
  REQUIRE(house.work().Begin());
  REQUIRE(house.work().Execute("UPDATE AI_BATCH SET NOTES = NOTES"));
  Process batch = house.Spawn("batch", {"submit", house.Prompts("rows.jsonl", 3), "--customer", "ACME",
                                        "--profile", "ACME_DEFAULT", "--out", house.Path("out.jsonl")});
  const long long begun = NowMs();
  REQUIRE(Eventually([&] { return NowMs() - begun > 1500; }));
  REQUIRE(house.work().Rollback());
  const Ended ended = batch.Wait();
  INFO(ended.err);
  REQUIRE(ended.code == 0);
}

}  // namespace strongroom::e2e
