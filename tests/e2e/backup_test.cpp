// A home that is lost as a whole, and what comes back of it.
#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/e2e/house.h"

namespace strongroom::e2e {
namespace fs = std::filesystem;

namespace {

constexpr const char* kBarco = "BARCO/anthropic/default/1";
constexpr const char* kDelta = "DELTA/anthropic/default/1";

void Done(const Ended& ended) {
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 0);
}

void CheckRefused(const Ended& ended, const std::string& part) {
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 1);
  REQUIRE(Lines(ended.err).size() == 1);
  REQUIRE(Has(ended.err, part));
}

std::string StatusOf(House& house, const std::string& key_ref) {
  return Field(house.Keytool({"show", key_ref, "--json"}).out, "status");
}

// AskAs is a request of a customer's that is given up soon.
std::string AskAs(House& house, const std::string& customer, const std::string& id) {
  return house.Ask(id, "Hello", R"({"customer":")" + customer + R"(","profile_ref":")" + customer + R"(_DEFAULT","timeout_ms":2000})");
}

std::string Share(const House& house, int number) { return house.Path("shares/share-" + std::to_string(number)); }

void MakeShares(House& house) {
  Done(house.Act({"kek", "backup", "--shares", "3", "--threshold", "2", "--out", house.Path("shares"), "--read-back",
                  Share(house, 1), Share(house, 2), Share(house, 3)}));
}

}  // namespace

TEST_CASE("backup: a host is lost, and comes back from a backup and two shares, with what was stopped since stopped again") {
  House house;
  house.Ready();
  for (const char* customer : {"BARCO", "ECHO", "FOXTROT"}) house.Onboard(customer);
  MakeShares(house);
  REQUIRE(Field(AskAs(house, "BARCO", "r-1"), "status") == "success");
  const Ended backed_up = house.Act({"backup", house.Path("backup"), "--json"});
  Done(backed_up);
  REQUIRE(!fs::exists(house.Path("backup/kek")));
  REQUIRE((fs::status(house.Path("backup")).permissions() & fs::perms::mask) == fs::perms::owner_all);
  for (const auto& file : fs::directory_iterator(house.Path("backup"))) {
    REQUIRE((fs::status(file).permissions() & (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none);
  }
  REQUIRE(house.Trail({"--action", "note_recovery"}).size() == 1);
  // After the backup one key is stopped, and another comes.
  Done(house.Act({"revoke", kBarco}));
  Done(house.Act({"profile", "suspend", "ECHO_DEFAULT"}));
  Done(house.Act({"offboard", "FOXTROT", "--yes"}));
  house.Onboard("DELTA");
  REQUIRE(StatusOf(house, kDelta) == "ACTIVE");
  WriteWhole(house.Path("trail"), house.Auditlog({"search", "--json", "--limit", "100000"}).out);
  fs::copy_file(house.home() + "/stops", house.Path("stops"));
  house.worker().Crash();
  house.vaultd().Crash();
  house.ForgetWork();
  fs::remove_all(house.home());

  Done(house.Keytool({"restore", house.Path("backup")}));
  house.StartVaultd();
  REQUIRE(Field(house.Keytool({"status", "--json"}).out, "sealed") == "true");
  Done(house.Act({"kek", "restore", Share(house, 1), Share(house, 3)}));
  const Ended unsealed = house.Act({"unseal"});
  Done(unsealed);
  REQUIRE(Has(unsealed.out, "in quarantine: no key is released"));
  house.StartWorker();
  // BARCO's key is ACTIVE again, and does not go out.
  REQUIRE(StatusOf(house, kBarco) == "ACTIVE");
  REQUIRE(Field(AskAs(house, "BARCO", "r-2"), "status") == "error");
  REQUIRE(Field(AskAs(house, "ACME", "r-3"), "status") == "error");
  REQUIRE(house.sim().CallsOf("r-2") + house.sim().CallsOf("r-3") == 0);
  REQUIRE(Has(house.Trail({"--action", "resolve", "--request-id", "r-2"}).at(0), "QUARANTINED"));
  REQUIRE(Has(house.Keytool({"status"}).err, "quarantine"));
  const Ended unsaid = house.Act({"restore", "--finish"});
  REQUIRE(unsaid.code == 2);
  CheckRefused(house.Act({"restore", "--finish", "--stops", house.Path("trail")}), "not of this vault");

  CheckRefused(house.Act({"restore", "--finish", "--stops", house.home() + "/stops"}), "this home's own file");
  // A file that has lost the very line in question: nothing is released before somebody says so.
  std::string lacking;
  for (const std::string& line : Lines(ReadWhole(house.Path("stops")))) {
    if (!Has(line, kBarco)) lacking += line + "\n";
  }
  WriteWhole(house.Path("lacking"), lacking);
  const Ended incomplete = house.Act({"restore", "--finish", "--stops", house.Path("lacking"), "--json"});
  CheckRefused(incomplete, "lacks 1 acts");
  REQUIRE(Has(incomplete.out, "STOPS_INCOMPLETE"));
  REQUIRE(house.Act({"restore", "--finish", "--none-survived", "--incomplete"}).code == 2);
  REQUIRE(Field(AskAs(house, "BARCO", "r-2b"), "status") == "error");
  REQUIRE(house.sim().CallsOf("r-2b") == 0);
  const Ended finished = house.Act({"restore", "--finish", "--stops", house.Path("stops"), "--trail", house.Path("trail"), "--json"});
  Done(finished);
  REQUIRE(Has(Field(finished.out, "stopped"), kBarco));
  REQUIRE(Has(Field(finished.out, "not_in_backup"), kDelta));
  REQUIRE(StatusOf(house, kBarco) == "REVOKED");
  REQUIRE(Field(finished.out, "profiles_stopped") == R"(["ECHO_DEFAULT","FOXTROT_DEFAULT"])");
  REQUIRE(Field(house.Keytool({"profile", "show", "ECHO_DEFAULT", "--json"}).out, "status") == "SUSPENDED");
  REQUIRE(Field(house.Keytool({"profile", "show", "FOXTROT_DEFAULT", "--json"}).out, "status") == "TERMINATED");
  REQUIRE(Field(AskAs(house, "ACME", "r-4"), "status") == "success");
  REQUIRE(Field(AskAs(house, "BARCO", "r-5"), "error_code") == "PROVIDER_AUTH");
  CheckRefused(house.Act({"restore", "--finish", "--none-survived"}), "not in quarantine");
  REQUIRE(house.Auditlog({"verify"}).code == 0);
  Done(house.vaultd().Stop());
  house.StartVaultd();
  REQUIRE(Field(house.Keytool({"status", "--json"}).out, "quarantine") == "null");
}

TEST_CASE("backup: never where the KEK lies, never over anything, and only whole") {
  House house;
  house.Init();
  house.StartVaultd();
  const auto refused = [&house](const std::string& directory, const std::string& part) {
    CheckRefused(house.Act({"backup", directory}), part);
  };
  refused(house.home() + "/kek", "in or around the KEKs' directory");
  refused(house.home() + "/kek/deep/er", "in or around the KEKs' directory");
  refused(house.home() + "/backup", "in or around the home");
  refused(fs::path(house.home()).parent_path().native(), "in or around");
  fs::create_symlink(house.home() + "/kek", house.Path("link"));
  refused(house.Path("link/backup"), "in or around the KEKs' directory");
  fs::create_directory(house.Path("full"));
  WriteWhole(house.Path("full/mine"), "x");
  refused(house.Path("full"), "not empty");
  refused(house.Path("no/parent"), "cannot make");
  for (const std::size_t length : {std::size_t{300}, std::size_t{5000}}) {
    const std::string name(length, 'n');
    refused(house.Path(name), "cannot be used: File name too long");
    CheckRefused(house.Keytool({"restore", house.Path(name)}), "cannot be used: File name too long");
  }
  fs::create_directory(house.Path("empty"));
  Done(house.Act({"backup", house.Path("empty")}));
  refused(house.Path("empty"), "not empty");
  // One that was interrupted leaves a part, which the next one takes away.
  fs::create_directory(house.Path("again.partial"));
  WriteWhole(house.Path("again.partial/vault.db"), "half");
  Done(house.Act({"backup", house.Path("again")}));
  REQUIRE(!fs::exists(house.Path("again.partial")));
}

TEST_CASE("backup: a restore wants the files that were backed up, and a fresh home") {
  House house;
  house.Init();
  house.StartVaultd();
  const std::string backup = house.Path("backup");
  Done(house.Act({"backup", backup}));
  CheckRefused(house.Keytool({"restore", backup}), "already has a vault");
  Done(house.vaultd().Stop());
  const std::string lost = house.Path("lost");
  fs::rename(house.home(), lost);
  const auto with = [&](const std::string& file, const std::string& content, const std::string& part) {
    const std::string whole = ReadWhole(backup + "/" + file);
    WriteWhole(backup + "/" + file, content);
    CheckRefused(house.Keytool({"restore", backup}), part);
    REQUIRE(!fs::exists(house.home()));
    WriteWhole(backup + "/" + file, whole);
  };
  with("vault.db", "x", "vault.db is not the file that was backed up");
  with("strongroom.toml", "", "strongroom.toml is not the file");
  with("MANIFEST", "strongroom-backup 1\n", "not what a backup writes");
  std::string manifest = ReadWhole(backup + "/MANIFEST");
  with("MANIFEST", manifest.substr(0, manifest.rfind("file ")), "does not list");
  CheckRefused(house.Keytool({"restore", house.Path("none")}), "MANIFEST");
  // What another database left behind would be taken for this one's.
  fs::create_directory(house.home());
  fs::permissions(house.home(), fs::perms::owner_all);
  WriteWhole(house.home() + "/vault.db-wal", "x");
  CheckRefused(house.Keytool({"restore", backup}), "vault.db-wal");
  fs::remove(house.home() + "/vault.db-wal");
  // Killed before its last file: the home is none yet, and the same restore finishes it.
  Done(house.Keytool({"restore", backup}));
  fs::remove(house.home() + "/strongroom.toml");
  WriteWhole(house.home() + "/vault.db", "half");
  Done(house.Keytool({"restore", backup}));
  fs::remove(house.home() + "/kek");
  fs::copy(lost + "/kek", house.home() + "/kek");
  house.StartVaultd();
  REQUIRE(Field(house.Keytool({"status", "--json"}).out, "sealed") == "false");
  Done(house.Act({"restore", "--finish", "--none-survived"}));
  REQUIRE(!fs::exists(house.home() + "/quarantine"));
}

TEST_CASE("backup: a lost KEK that nothing brings back leaves a list of who must supply a new key") {
  House house;
  house.Ready();
  house.Onboard("BARCO");
  house.Onboard("CORAL");
  Done(house.Act({"revoke", "CORAL/anthropic/default/1"}));
  REQUIRE(house.vaultd().Stop().code == 0);
  fs::remove_all(house.home() + "/kek");
  house.StartVaultd();
  REQUIRE(house.Keytool({"recover"}).code == 2);
  const Ended listed = house.Keytool({"recover", "--all-lost-kek", "--json"});
  Done(listed);
  const auto rows = nlohmann::json::parse(listed.out, nullptr, false);
  REQUIRE(rows.size() == 2);
  REQUIRE(rows[0]["customer"] == "ACME");
  REQUIRE(rows[1]["key_ref"] == kBarco);
  REQUIRE(rows[1]["profiles"] == "BARCO_DEFAULT");
  REQUIRE(Has(house.Keytool({"recover", "--all-lost-kek"}).out, "BARCO_DEFAULT"));
}

}  // namespace strongroom::e2e
