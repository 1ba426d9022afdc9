#include "vault/arena.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <set>
#include <thread>
#include <vector>

#include "secret_probe.h"
#include "vault/secret.h"

namespace strongroom::vault {
namespace {

// Runs one of the hidden cases below in a new process with this RLIMIT_MEMLOCK, as nobody if we are root.
int RunLimited(const char* test_case, rlim_t bytes) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit{bytes, bytes};
    const bool ready = setrlimit(RLIMIT_MEMLOCK, &limit) == 0 &&
                       (geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0));
    if (ready) execl("/proc/self/exe", "vault_test", test_case, "-w", "NoTests", nullptr);
    _exit(99);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

TEST_CASE("arena child: refused", "[.]") {
  const auto opened = Arena::Open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == Code::kResourceExhausted);
  CHECK(opened.error().text().find("RLIMIT_MEMLOCK") != std::string_view::npos);
  CHECK(opened.error().number() == 32768);
}

TEST_CASE("arena child: small", "[.]") {
  REQUIRE(Arena::Open());
  CHECK(Arena::Process().bytes() <= 65536);
  CHECK(Arena::Process().bytes() >= 32768);
  CHECK(SecretValue::Random(2000).has_value());
}

TEST_CASE("arena child: with scratch", "[.]") {
  REQUIRE(Arena::Open(16384));
  CHECK(Arena::Process().bytes() >= 32768);
  CHECK(Arena::Scratch(16384).has_value());
}

TEST_CASE("arena child: refused with scratch", "[.]") {
  const auto opened = Arena::Open(16384);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().number() == 32768 + 16384);
}

TEST_CASE("the arena leaves room for what is to be sent from", "[arena]") {
  if (Arena::Process().protection() == Protection::kNone) return;
  for (const rlim_t limit : {49152UL, 65536UL, 131072UL, 1048576UL}) CHECK(RunLimited("arena child: with scratch", limit) == 0);
  CHECK(RunLimited("arena child: refused with scratch", 32768) == 0);
}

TEST_CASE("too low a lock limit is refused with the limit to raise", "[arena]") {
  if (Arena::Process().protection() == Protection::kNone) return;
  CHECK(RunLimited("arena child: refused", 16384) == 0);
  CHECK(RunLimited("arena child: refused", 0) == 0);
}

TEST_CASE("a low lock limit gives a smaller arena", "[arena]") {
  if (Arena::Process().protection() == Protection::kNone) return;
  CHECK(RunLimited("arena child: small", 65536) == 0);
  CHECK(RunLimited("arena child: small", 40000) == 0);
}

TEST_CASE("opening twice is opening once", "[arena]") {
  REQUIRE(Arena::Open());
  Arena& first = Arena::Process();
  REQUIRE(Arena::Open());
  CHECK(&first == &Arena::Process());
  CHECK(ProtectionName(first.protection()).size() > 4);
}

TEST_CASE("a full arena refuses, and serves again once a secret went", "[arena]") {
  for (const std::size_t size : {Arena::kSmallSlot, Arena::kLargeSlot}) {
    std::vector<SecretValue> held;
    std::set<const void*> slots;
    auto value = SecretValue::Allocate(size);
    while (value) {
      slots.insert(SecretProbe::Writable(*value).data());
      held.push_back(std::move(*value));
      value = SecretValue::Allocate(size);
    }
    CHECK(value.error().code() == Code::kResourceExhausted);
    CHECK(value.error().text().find("RLIMIT_MEMLOCK") != std::string_view::npos);
    CHECK(slots.size() == held.size());
    held.pop_back();
    CHECK(SecretValue::Allocate(size).has_value());
  }
  CHECK(SecretValue::Allocate(1).has_value());
}

TEST_CASE("slots of one arena never overlap", "[arena]") {
  std::vector<SecretValue> held;
  for (std::uint8_t i = 1; i <= 64; ++i) {
    held.push_back(SecretProbe::Of(Bytes(i % 2 == 0 ? 2048 : 256, i)));
  }
  for (std::uint8_t i = 1; i <= 64; ++i) {
    CHECK(SecretProbe::Copy(held[i - 1U].View()) == Bytes(i % 2 == 0 ? 2048 : 256, i));
  }
}

TEST_CASE("threads share the arena", "[arena]") {
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (std::uint8_t t = 1; t <= 4; ++t) {
    threads.emplace_back([t, &wrong] {
      for (int i = 0; i < 20000; ++i) {
        auto value = SecretValue::Allocate(40);
        if (!value || SecretProbe::Copy(value->View()) != Bytes(40)) ++wrong;
        if (value) SecretProbe::Writable(*value)[39] = t;
        if (value && SecretProbe::Copy(value->View()).back() != t) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("a forked child does not see a secret", "[arena]") {
  if (Arena::Process().protection() == Protection::kNone) return;
  SecretValue value = SecretProbe::Of("not for children");
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, SIG_DFL);
    const volatile std::uint8_t* bytes = SecretProbe::Writable(value).data();
    _exit(bytes[0] == 0 && bytes[15] == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const bool faulted = WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
  const bool saw_zeros = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  CHECK((faulted || saw_zeros));
  if (Arena::Process().protection() == Protection::kMemfdSecret) CHECK(faulted);
  CHECK(base::AsText(SecretProbe::Copy(value.View())) == "not for children");
}

}  // namespace
}  // namespace strongroom::vault
