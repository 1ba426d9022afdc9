#include "base/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace strongroom;

namespace {

// Home is a directory of its own with a strongroom.toml in it.
class Home {
 public:
  explicit Home(const std::string& text) {
    char path[] = "/tmp/strongroom-config-XXXXXX";
    path_ = mkdtemp(path);
    std::ofstream(path_ + "/strongroom.toml") << text;
  }
  ~Home() { std::filesystem::remove_all(path_); }
  std::string Problem() const {
    const auto config = base::LoadConfig(path_);
    return config ? "" : config.error().text;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("a pipe in the file's place keeps nobody") {
  const Home home("");
  const std::string file = home.path() + "/strongroom.toml";
  std::filesystem::remove(file);
  REQUIRE(mkfifo(file.c_str(), 0600) == 0);
  CHECK(home.Problem().find("no plain file") != std::string::npos);
}

TEST_CASE("the default file loads, and relative paths become absolute") {
  const Home home(base::DefaultConfigText("root"));
  const auto config = base::LoadConfig(home.path());
  REQUIRE(config.has_value());
  CHECK(config->database == "sqlite:" + home.path() + "/strongroom.db");
  CHECK(config->vault.database == "sqlite:" + home.path() + "/vault.db");
  CHECK(config->vault.socket == home.path() + "/vaultd.sock");
  CHECK(config->vault.kek_path == home.path() + "/kek/");
  CHECK(config->vault.single_user);
  CHECK(config->roles.admin == std::vector<std::string>{"root"});
  CHECK(config->worker.in_flight == 256);
  CHECK(config->worker.timeout_ms == 60'000);
}

TEST_CASE("a PIN comes from its file, else from where systemd puts credentials") {
  const auto pin_path = [](const std::string& settings) {
    const Home home("[vault]\npkcs11_module = \"/lib/module.so\"\n" + settings);
    const auto config = base::LoadConfig(home.path());
    REQUIRE(config.has_value());
    CHECK(config->vault.pkcs11_module == "/lib/module.so");
    const std::string& path = config->vault.pkcs11_pin_path;
    return path.starts_with(home.path()) ? "HOME" + path.substr(home.path().size()) : path;
  };
  CHECK(pin_path("").empty());
  CHECK(pin_path("pkcs11_pin_file = \"pin\"\n") == "HOME/pin");
  REQUIRE(setenv("CREDENTIALS_DIRECTORY", "/run/credentials", 1) == 0);
  CHECK(pin_path("") == "/run/credentials/strongroom-pin");
  CHECK(pin_path("pkcs11_pin_credential = \"token\"\n") == "/run/credentials/token");
  CHECK(pin_path("pkcs11_pin_file = \"/etc/pin\"\n") == "/etc/pin");
  unsetenv("CREDENTIALS_DIRECTORY");
  CHECK(Home("[vault]\npkcs11_pin_credential = \"../pin\"\n").Problem().find("must be names") != std::string::npos);
}

TEST_CASE("how old a key may grow, for all and of single customers") {
  const auto rotation = [](const std::string& text) {
    const Home home(text);
    const auto config = base::LoadConfig(home.path());
    REQUIRE(config.has_value());
    return config->rotation;
  };
  CHECK(rotation("").days == 365);
  CHECK(rotation("").customers.empty());
  const auto set = rotation("[rotation]\ndays = 180\n[rotation.customers]\nACME = 90\n\"B#1\" = 0\n");
  CHECK(set.days == 180);
  CHECK(set.customers == std::map<std::string, std::int64_t>{{"ACME", 90}, {"B#1", 0}});
  CHECK(Home("[rotation]\ndays = -1\n").Problem().find(":2: rotation.days: must be a number from 0 to 36500") != std::string::npos);
  CHECK(Home("[rotation.customers]\nACME = \"90\"\n").Problem().find(":2: rotation.customers.ACME: must be a number") != std::string::npos);
  CHECK(Home("[rotation]\nACME = 90\n").Problem().find(":2: rotation.ACME: unknown key") != std::string::npos);
}

TEST_CASE("unknown keys and wrong types are refused with file, line and key") {
  CHECK(Home("database = \"sqlite:a.db\"\nnonsense = 1\n").Problem().find("strongroom.toml:2: nonsense: unknown key") !=
        std::string::npos);
  CHECK(Home("[vault]\nsingle_user = 1\n").Problem().find(":2: vault.single_user: must be true or false") !=
        std::string::npos);
  CHECK(Home("[vault]\nsocke = \"x\"\n").Problem().find(":2: vault.socke: unknown key") != std::string::npos);
  CHECK(Home("[roles]\nadmin = \"root\"\n").Problem().find("must be a list of strings") != std::string::npos);
  CHECK(Home("[worker]\nin_flight = 0\n").Problem().find("must be a number from 1 to 4096") != std::string::npos);
  for (const std::string days : {"-1", "36501"}) {
    CHECK(Home("[audit]\nretention_days = " + days + "\n").Problem().find(":2: audit.retention_days: must be a number from 0 to 36500") != std::string::npos);
  }
  CHECK(Home("[audit]\nretention_days = 0\n").Problem().empty());
  CHECK(Home("vault = 3\n").Problem().find(":1: vault: must be a [table]") != std::string::npos);
  CHECK(Home("[vault\n").Problem().find("strongroom.toml:1:") != std::string::npos);
  CHECK(Home("database = \"mysql:x\"\n").Problem().find("must begin with") != std::string::npos);
  CHECK(Home("queue = \"redis://h:1/0\"\n").Problem().find("only \"database\"") != std::string::npos);
}

TEST_CASE("a home without a file says how to make one") {
  const auto config = base::LoadConfig("/nonexistent-home");
  REQUIRE_FALSE(config.has_value());
  CHECK(config.error().text.find("keytool init --home /nonexistent-home") != std::string::npos);
}

TEST_CASE("a file that cannot be opened is refused with the reason, not taken for none") {
  const Home home("");
  const std::string file = home.path() + "/strongroom.toml";
  std::filesystem::remove(file);
  std::filesystem::create_symlink("strongroom.toml", file);  // to itself
  CHECK(home.Problem() == file + ": Too many levels of symbolic links");
}

TEST_CASE("the environment wins over the file") {
  const Home home("[worker]\ntimeout_ms = 5\n");
  setenv("K3SAI_TIMEOUT_MS", "1234", 1);
  setenv("K3SAI_INBOUND_QUEUE", "OTHERQ", 1);
  const auto config = base::LoadConfig(home.path());
  setenv("K3SAI_MAX_RETRIES", "many", 1);
  const std::string problem = home.Problem();
  unsetenv("K3SAI_MAX_RETRIES");
  setenv("K3SAI_USAGE_TABLE", "K3SAI.USAGE_LOG", 1);
  const std::string usual = home.Problem();
  setenv("K3SAI_USAGE_TABLE", "USAGE_LOG", 1);
  const std::string plain = home.Problem();
  setenv("K3SAI_USAGE_TABLE", "ELSEWHERE", 1);
  const std::string elsewhere = home.Problem();
  unsetenv("K3SAI_USAGE_TABLE");
  unsetenv("K3SAI_TIMEOUT_MS");
  unsetenv("K3SAI_INBOUND_QUEUE");
  unsetenv("K3SAI_MAX_RETRIES");
  REQUIRE(config.has_value());
  CHECK(config->worker.timeout_ms == 1234);
  CHECK(config->worker.inbound_queue == "OTHERQ");
  CHECK(problem.find("K3SAI_MAX_RETRIES") != std::string::npos);
  CHECK(usual.empty());
  CHECK(plain.empty());
  CHECK(elsewhere.find("K3SAI_USAGE_TABLE") != std::string::npos);
  CHECK(elsewhere.find("K3SAI.USAGE_LOG") != std::string::npos);
  CHECK(elsewhere.find('\n') == std::string::npos);
}

TEST_CASE("the home is the flag, else the environment, else the system's") {
  unsetenv("STRONGROOM_HOME");
  CHECK(base::FindHome("") == "/var/lib/strongroom");
  setenv("STRONGROOM_HOME", "/srv/vault/", 1);
  CHECK(base::FindHome("") == "/srv/vault");
  CHECK(base::FindHome("/a/b/../c") == "/a/c");
  unsetenv("STRONGROOM_HOME");
}
