#include "base/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>

using namespace strongroom;

TEST_CASE("a hardened process keeps the allow-list of its environment and cannot dump core") {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    setenv("SSLKEYLOGFILE", "/tmp/keys", 1);
    setenv("https_proxy", "http://evil", 1);
    setenv("LD_PRELOAD", "x", 1);
    setenv("K3SAI_TIMEOUT_MS", "5", 1);
    setenv("TERM", "xterm", 1);
    close(0);
    base::HardenProcess();
    rlimit core{};
    getrlimit(RLIMIT_CORE, &core);
    const bool cleared = getenv("SSLKEYLOGFILE") == nullptr && getenv("https_proxy") == nullptr &&
                         getenv("LD_PRELOAD") == nullptr;
    const bool kept = getenv("K3SAI_TIMEOUT_MS") != nullptr && getenv("TERM") != nullptr;
    const int next = dup(1);  // the lowest free descriptor: 0 must have been filled
#ifdef STRONGROOM_SANITIZED
    const bool undumpable = true;
#else
    const bool undumpable = prctl(PR_GET_DUMPABLE) == 0;
#endif
    _exit(cleared && kept && next > 2 && core.rlim_max == 0 && undumpable ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a standard output that was closed refuses what is written, and no file is opened in its place") {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    close(0);
    close(1);
    base::HardenProcess();
    const bool refused = write(1, "x", 1) < 0;
    const int next = dup(0);
    _exit(refused && next > 2 ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("users and groups are found by name and by number") {
  CHECK(base::FindUser("root").value() == 0);
  CHECK(base::FindUser("12345").value() == 12345);
  CHECK_FALSE(base::FindUser("no-such-user").has_value());
  CHECK_FALSE(base::FindUser("").has_value());
  CHECK(base::UserName(0) == "root");
  CHECK(base::UserName(54321) == "54321");
  CHECK(base::FindGroup("root").value() == 0);
  CHECK_FALSE(base::FindGroup("no-such-group").has_value());
  CHECK(base::GroupsOf(0, 0).front() == 0);
}

TEST_CASE("a process is told apart by its start") {
  CHECK(base::PidStart(getpid()) > 0);
  CHECK(base::PidStart(getpid()) == base::PidStart(getpid()));
  CHECK(base::PidStart(-1) == 0);
}

TEST_CASE("a group's users are those whose own group it is, and its members") {
  const auto users = base::UsersOf(0);
  CHECK(std::find(users.begin(), users.end(), 0U) != users.end());
  CHECK(base::UsersOf(54321).empty());
}
