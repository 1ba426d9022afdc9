// Two people: the commands of two admins with accounts of their own, and root between them.
#include "tests/e2e/house.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

namespace strongroom::e2e {
namespace fs = std::filesystem;

namespace {

constexpr uid_t kAda = 2001, kBob = 2002;
constexpr const char* kRef = "ACME/anthropic/default/1";

// Office is a house with two admins beside root, in two-person mode.
class Office : public House {
 public:
  Office() {
    fs::create_directory(home());
    REQUIRE(chmod(Path("").c_str(), 0711) == 0);
    Init();
    SetConfig("single_user", "false");
    SetConfig("admin", R"(["root", "2001", "2002"])");
    SetConfig("worker", R"(["2003"])");
    StartVaultd();
    REQUIRE(chmod(home().c_str(), 0755) == 0);
    REQUIRE(chmod((home() + "/strongroom.toml").c_str(), 0644) == 0);
    fs::copy_file(std::string(STRONGROOM_BIN) + "/keytool", Path("keytool"));
    REQUIRE(chmod(Path("keytool").c_str(), 0755) == 0);
    NewKey("ACME");
    REQUIRE(Act({"onboard", "ACME", "--provider", "anthropic", "--model", "m", "--no-verify", "--key-file", KeyFile("ACME")})
                .code == 0);
    REQUIRE(As(kAda, {"approvals", "require", "on", "--reason", "a pair from now on"}).code == 0);
  }

  Ended As(uid_t uid, std::vector<std::string> arguments) {
    REQUIRE(chmod((home() + "/vaultd.sock").c_str(), 0666) == 0);
    arguments.insert(arguments.end(), {"--home", home()});
    return Run({Path("keytool"), arguments, {}, "", uid}, Path("run/as-" + std::to_string(count_++)));
  }

  // Waits runs a command that must wait for a second person, and returns the approval it names.
  std::string Waits(uid_t uid, const std::vector<std::string>& arguments) {
    const Ended ended = As(uid, arguments);
    INFO(ended.out << ended.err);
    REQUIRE(ended.code == 1);
    const std::string mark = " waits for a second person: ";
    const std::size_t at = ended.err.find(mark);
    REQUIRE(at != std::string::npos);
    REQUIRE(Has(ended.err, ", expires 20"));
    return ended.err.substr(at + mark.size(), 12);
  }

 private:
  int count_ = 0;
};

TEST_CASE("two people: an admin proposes, another approves, the same command does it, and root is neither") {
  if (geteuid() != 0) {
    WARN("not checked: needs root");
    return;
  }
  Office office;
  REQUIRE(office.As(kAda, {"suspend", kRef, "--reason", "looks odd"}).code == 0);
  const std::vector<std::string> resume = {"resume", kRef, "--reason", "it was not"};
  const std::string id = office.Waits(kAda, resume);
  REQUIRE(office.Waits(kAda, resume) == id);
  const Ended own = office.As(kAda, {"approvals", "approve", id, "--reason", "me too"});
  REQUIRE(own.code == 1);
  REQUIRE(Has(own.err, "by another person"));
  const Ended root = office.Act({"approvals", "approve", id});
  REQUIRE(root.code == 1);
  REQUIRE(Has(root.err, "root"));
  REQUIRE(Has(office.Act({"resume", kRef}).err, "root"));
  const Ended list = office.As(kBob, {"approvals", "list"});
  INFO(list.out << list.err);
  REQUIRE(Has(list.out, id));
  REQUIRE(Has(list.out, std::string("resume ") + kRef));
  REQUIRE(Has(list.out, "it was not"));
  REQUIRE(office.As(kBob, {"approvals", "approve", id, "--reason", "seen"}).code == 0);
  office.vaultd().Crash();
  office.StartVaultd();
  REQUIRE(office.As(kAda, resume).code == 0);
  REQUIRE(Has(office.As(kBob, {"list"}).out, "ACTIVE"));
  REQUIRE(office.As(kAda, {"suspend", kRef, "--reason", "looks odd"}).code == 0);
  REQUIRE(office.Waits(kAda, resume) != id);
  for (const char* action : {"propose_act", "approve_act", "require_two_people"}) {
    REQUIRE(!office.Trail({"--action", action, "--outcome", "ok"}).empty());
  }
  REQUIRE(office.Auditlog({"verify"}).code == 0);
}

TEST_CASE("two people: no edit of strongroom.toml or of the database ends the demand, two people do") {
  if (geteuid() != 0) {
    WARN("not checked: needs root");
    return;
  }
  Office office;
  const std::vector<std::string> off = {"approvals", "require", "off", "--reason", "back to one"};
  const std::string id = office.Waits(kBob, off);
  office.vaultd().Stop();
  office.SetConfig("single_user", "true");
  office.Number(*office.Vault(), "DELETE FROM TWO_PEOPLE RETURNING 1");
  office.StartVaultd();
  REQUIRE(office.Waits(kBob, off) == id);
  REQUIRE(!Has(office.Keytool({"status"}).err, "no act needs a second person"));
  REQUIRE(office.As(kAda, {"approvals", "deny", id, "--reason", "no"}).code == 0);
  REQUIRE(Has(office.As(kBob, off).err, "denied"));
  const std::vector<std::string> again = {"approvals", "require", "off", "--reason", "we talked about it"};
  REQUIRE(office.As(kAda, {"approvals", "approve", office.Waits(kBob, again), "--reason", "yes"}).code == 0);
  REQUIRE(office.As(kBob, again).code == 0);
  REQUIRE(Has(office.Keytool({"status"}).err, "no act needs a second person"));
  REQUIRE(office.As(kAda, {"suspend", kRef, "--reason", "looks odd"}).code == 0);
  REQUIRE(office.As(kAda, {"resume", kRef, "--reason", "it was not"}).code == 0);
}

}  // namespace
}  // namespace strongroom::e2e
