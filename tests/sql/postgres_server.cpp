#include "tests/sql/postgres_server.h"

#include "sql/database.h"
// Ours first, then Catch: see engines.h.
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#ifdef STRONGROOM_SANITIZED
// The driver keeps 48 bytes for ever. The leak checker asks the program for what to pass over by this name.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:psqlodbcw.so"; }
#endif

namespace strongroom::test {
namespace {

constexpr const char* kInitdb = "/usr/lib/postgresql/15/bin/initdb";
constexpr const char* kPostgres = "/usr/lib/postgresql/15/bin/postgres";
constexpr auto kPatience = std::chrono::seconds(60);

// Spawn runs a program as the user `postgres` where we are root, which PostgreSQL refuses to run as. The child dies
// with us, whatever ends us: SIGQUIT is PostgreSQL's immediate shutdown.
pid_t Spawn(const std::vector<std::string>& words, const std::string& log) {
  const passwd* user = ::getpwnam("postgres");
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  if (::geteuid() == 0 && (user == nullptr || ::setgroups(0, nullptr) != 0 || ::setgid(user->pw_gid) != 0 ||
                           ::setuid(user->pw_uid) != 0)) {
    ::_exit(126);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (::getppid() != parent) ::_exit(126);
  if (std::freopen(log.c_str(), "a", stdout) == nullptr || ::dup2(1, 2) < 0) ::_exit(126);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

bool HasEnded(pid_t child, int& status) { return ::waitpid(child, &status, WNOHANG) == child; }

bool WaitForEnd(pid_t child, std::chrono::seconds patience, int& status) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!HasEnded(child, status)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace

TestPostgres& TestPostgres::Get() {
  static TestPostgres server;
  return server;
}

TestPostgres::TestPostgres() {
  std::string name = (std::filesystem::temp_directory_path() / "strongroom-pg-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  directory_ = name;
  if (::geteuid() == 0) {
    const passwd* user = ::getpwnam("postgres");
    REQUIRE(user != nullptr);
    REQUIRE(::chown(directory_.c_str(), user->pw_uid, user->pw_gid) == 0);
  }
  const pid_t child = Spawn({kInitdb, "-D", directory_ + "/data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
                             "--locale=C", "--no-sync"},
                            directory_ + "/initdb.log");
  int status = 0;
  REQUIRE(WaitForEnd(child, kPatience, status));
  REQUIRE(status == 0);
  Start();
}

TestPostgres::~TestPostgres() {
  Stop();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string TestPostgres::Url() const {
  return "odbc:Driver=PostgreSQL Unicode;Server=" + directory_ + ";Port=5432;Database=postgres;Uid=postgres;";
}

void TestPostgres::Clear() {
  auto database = sql::Open(Url(), {});
  REQUIRE(database);
  REQUIRE((*database)->RunScript("DROP SCHEMA public CASCADE; CREATE SCHEMA public"));
}

void TestPostgres::Start() {
  if (server_ > 0) return;
  server_ = Spawn({kPostgres, "-D", directory_ + "/data", "-k", directory_, "-p", "5432", "-c", "listen_addresses=",
                   "-c", "shared_buffers=16MB", "-c", "max_connections=20", "-c", "autovacuum=off",
                   "-c", "wal_level=minimal", "-c", "max_wal_senders=0"},
                  directory_ + "/server.log");
  REQUIRE(server_ > 0);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!sql::Open(Url(), {})) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void TestPostgres::Stop() {
  if (server_ <= 0) return;
  int status = 0;
  ::kill(server_, SIGINT);
  if (!WaitForEnd(server_, std::chrono::seconds(20), status)) {
    ::kill(server_, SIGQUIT);
    ::waitpid(server_, &status, 0);
  }
  server_ = -1;
}

}  // namespace strongroom::test
