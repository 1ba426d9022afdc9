#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "audit/verifier.h"
#include "tests/vault/service_house.h"
#include "vault/exposure.h"
#include "vault/kek_file.h"
#include "vault/rate_seed.h"
#include "vault/store.h"

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;

unsigned ModeOf(const std::string& path) {
  struct stat facts {};
  REQUIRE(stat(path.c_str(), &facts) == 0);
  return facts.st_mode & 07777U;
}

std::string OpenProblem(const std::string& home) {
  const auto config = base::LoadConfig(home);
  REQUIRE(config.has_value());
  const auto service = Service::Open(*config);
  REQUIRE_FALSE(service.has_value());
  CHECK(service.error().text.find('\n') == std::string::npos);
  return service.error().text;
}

bool Says(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string InitProblem(const std::string& home) {
  const auto made = InitVault(home);
  REQUIRE_FALSE(made.has_value());
  CHECK(made.error().text.find('\n') == std::string::npos);
  return made.error().text;
}

TEST_CASE("init makes a whole home, whose trail begins with it", "[init]") {
  Home home;
  REQUIRE(InitVault(home.path).has_value());
  CHECK(ModeOf(home.path) == 0750);
  CHECK(ModeOf(home.path + "/kek") == 0700);
  CHECK(ModeOf(home.path + "/kek/1.key") == 0600);
  CHECK(ModeOf(home.path + "/vault.db") == 0600);
  CHECK(ModeOf(home.path + "/strongroom.db") == 0660);
  auto database = sql::Open("sqlite:" + home.path + "/vault.db", {});
  REQUIRE(database.has_value());
  const auto verdict = audit::Verify(**database);
  REQUIRE(verdict.has_value());
  CHECK(verdict->records == 1);
  CHECK_FALSE(verdict->fault.has_value());
  Store store(**database);
  const auto vault = store.FindVault();
  REQUIRE(vault.has_value());
  CHECK(vault->vault_id.size() == 32);
  CHECK(vault->epoch == 1);
  CHECK(store.CurrentRates(base::WallMicros())->size() == SeededRates().size());
  const auto config = base::LoadConfig(home.path);
  REQUIRE(config.has_value());
  CHECK(Service::Open(*config).has_value());
  const auto after = audit::Verify(**database);
  CHECK(after->records == 3);  // init, start, stop
  CHECK_FALSE(after->fault.has_value());
}

TEST_CASE("two homes have nothing in common", "[init]") {
  Home one, two;
  REQUIRE(InitVault(one.path).has_value());
  REQUIRE(InitVault(two.path).has_value());
  fs::copy_file(one.path + "/kek/1.key", two.path + "/kek/1.key", fs::copy_options::overwrite_existing);
  CHECK(Says(OpenProblem(two.path), "is not this vault's KEK"));
}

TEST_CASE("init refuses a home that has a vault, and leaves it alone", "[init]") {
  Home home;
  REQUIRE(InitVault(home.path).has_value());
  CHECK(Says(InitProblem(home.path), "already has a vault"));
  const auto config = base::LoadConfig(home.path);
  CHECK(Service::Open(*config).has_value());
}

TEST_CASE("init refuses a home with part of a vault", "[init]") {
  Home home;
  REQUIRE(fs::create_directory(home.path));
  SECTION("kek") { REQUIRE(fs::create_directory(home.path + "/kek")); }
  SECTION("vault.db") { std::ofstream(home.path + "/vault.db") << "x"; }
  SECTION("strongroom.db") { std::ofstream(home.path + "/strongroom.db") << "x"; }
  SECTION("a link that leads nowhere") { fs::create_symlink("/nowhere", home.path + "/vault.db"); }
  CHECK(Says(InitProblem(home.path), "part of one"));
  CHECK(std::distance(fs::directory_iterator(home.path), fs::directory_iterator()) == 1);
}

TEST_CASE("init uses a directory that is there, and needs its parent", "[init]") {
  Home home;
  CHECK(Says(InitProblem(home.root + "/no/home"), "parent directory"));
  std::ofstream(home.root + "/file") << "x";
  CHECK(Says(InitProblem(home.root + "/file"), "no directory"));
  REQUIRE(fs::create_directory(home.path));
  CHECK(InitVault(home.path).has_value());
}

TEST_CASE("init closes an empty directory to others, and refuses one with other things that is open", "[init]") {
  Home empty;
  REQUIRE(fs::create_directory(empty.path));
  REQUIRE(chmod(empty.path.c_str(), 0777) == 0);
  const auto made = InitVault(empty.path);
  REQUIRE(made.has_value());
  CHECK(Says(*made, empty.path));
  CHECK(ModeOf(empty.path) == 0750);
  Home full;
  REQUIRE(fs::create_directory(full.path));
  std::ofstream(full.path + "/notes.txt") << "mine";
  for (const unsigned mode : {0755U, 0770U, 01777U}) {
    REQUIRE(chmod(full.path.c_str(), mode) == 0);
    CHECK(Says(InitProblem(full.path), "chmod"));
    CHECK(ModeOf(full.path) == mode);
  }
  REQUIRE(chmod(full.path.c_str(), 02710) == 0);
  CHECK(InitVault(full.path).value() == "");
  CHECK(ModeOf(full.path) == 02710);
}

TEST_CASE("what others may open of a vault's files is found", "[init][open]") {
  Home home;
  REQUIRE(InitVault(home.path).has_value());
  auto config = *base::LoadConfig(home.path);
  CHECK(FindExposed(config).empty());
  REQUIRE(chmod((home.path + "/vault.db").c_str(), 0640) == 0);
  REQUIRE(chmod((home.path + "/kek").c_str(), 0711) == 0);
  const auto found = FindExposed(config);
  REQUIRE(found.size() == 2);
  CHECK(found[0].path == home.path + "/vault.db");
  CHECK(found[0].mode == 0640);
  CHECK(found[0].wanted == 0600);
  CHECK(found[1].path.starts_with(home.path + "/kek"));
  REQUIRE(chmod((home.path + "/vault.db").c_str(), 0600) == 0);
  // One KEK file, in a directory that others may look into but not write.
  config.vault.kek_path = home.path + "/kek/1.key";
  CHECK(FindExposed(config).empty());
  REQUIRE(chmod((home.path + "/kek").c_str(), 0730) == 0);
  CHECK(FindExposed(config).size() == 1);
  // What says who is an admin.
  REQUIRE(chmod((home.path + "/strongroom.toml").c_str(), 0664) == 0);
  REQUIRE(chmod(home.path.c_str(), 0777) == 0);
  CHECK(FindExposed(config).size() == 3);
}

TEST_CASE("an init that fails halfway takes back what it made, and only that", "[init]") {
  Home home;
  REQUIRE(fs::create_directory(home.path));
  REQUIRE(chmod(home.path.c_str(), 0750) == 0);
  std::ofstream(home.path + "/notes.txt") << "mine";
  // The configuration is written last, by way of a temporary beside it: a directory of that name stops it there.
  REQUIRE(fs::create_directories(home.path + "/strongroom.toml.new/x"));
  CHECK(Says(InitProblem(home.path), "strongroom.toml"));
  CHECK_FALSE(fs::exists(home.path + "/kek"));
  CHECK_FALSE(fs::exists(home.path + "/vault.db"));
  CHECK_FALSE(fs::exists(home.path + "/vault.db-wal"));
  CHECK_FALSE(fs::exists(home.path + "/strongroom.db"));
  CHECK(fs::exists(home.path + "/notes.txt"));
  fs::remove_all(home.path + "/strongroom.toml.new");
  CHECK(InitVault(home.path).has_value());
}

TEST_CASE("a vault that cannot be opened says why in one line", "[init][open]") {
  Home home;
  REQUIRE(InitVault(home.path).has_value());
  const std::string kek = home.path + "/kek/1.key";
  SECTION("no database") {
    fs::remove(home.path + "/vault.db");
    CHECK(Says(OpenProblem(home.path), "keytool init"));
  }
  SECTION("a KEK of 31 bytes") {
    fs::resize_file(kek, 31);
    CHECK(Says(OpenProblem(home.path), "32"));
    CHECK(Says(OpenProblem(home.path), "keytool kek restore"));
    CHECK(Says(OpenProblem(home.path), kek));
  }
  SECTION("a KEK that others can read") {
    REQUIRE(chmod(kek.c_str(), 0644) == 0);
    CHECK(Says(OpenProblem(home.path), kek));
  }
  SECTION("another KEK") {
    fs::remove(kek);
    REQUIRE(KekFile::Create(kek).has_value());
    CHECK(Says(OpenProblem(home.path), "is not this vault's KEK"));
    CHECK(Says(OpenProblem(home.path), "move " + kek + " away"));
  }
  SECTION("a vault secret that was edited") {
    auto database = sql::Open("sqlite:" + home.path + "/vault.db", {});
    REQUIRE((*database)->Execute("UPDATE VAULT_SECRET SET WRAPPED = zeroblob(48)").has_value());
    CHECK(Says(OpenProblem(home.path), "does not open"));
  }
  SECTION("two of the vault's secrets exchanged") {
    auto database = sql::Open("sqlite:" + home.path + "/vault.db", {});
    REQUIRE((*database)
                ->Execute("UPDATE VAULT_SECRET SET SECRET_NAME = CASE SECRET_NAME WHEN 'fingerprint' THEN "
                          "'profile-mac' ELSE 'x' END WHERE SECRET_NAME IN ('fingerprint', 'profile-mac')")
                .has_value());
    CHECK(Says(OpenProblem(home.path), "does not open"));
  }
  SECTION("no database at all, but a text file") {
    std::ofstream(home.path + "/vault.db", std::ios::trunc) << "hello, this is a text file and no database at all";
    fs::remove(home.path + "/vault.db-wal");
    fs::remove(home.path + "/vault.db-shm");
    CHECK(Says(OpenProblem(home.path), "vault.db"));
  }
  SECTION("the trail deleted") {
    auto database = sql::Open("sqlite:" + home.path + "/vault.db", {});
    REQUIRE((*database)->Execute("DELETE FROM AUDIT_LOG").has_value());
    CHECK(Says(OpenProblem(home.path), "every record of the trail was deleted"));
  }
  SECTION("the trail's last record changed") {
    auto database = sql::Open("sqlite:" + home.path + "/vault.db", {});
    REQUIRE((*database)->Execute("UPDATE AUDIT_LOG SET RECORD = x'7b7d'").has_value());
    CHECK(Says(OpenProblem(home.path), "trail"));
  }
}

}  // namespace
}  // namespace strongroom::vault
