// A worker that has been taken over: a client with the worker's uid that asks as it likes.
#include "tests/e2e/house.h"

#include <unistd.h>

#include "vault/arena.h"
#include "vault/client.h"

// After our headers: Catch's CHECK then replaces the one of base/result.h.
#include <catch2/catch.hpp>

namespace strongroom::e2e {
namespace {

// TakenOver asks vaultd for keys as the worker's own process could.
class TakenOver {
 public:
  explicit TakenOver(House& house) {
    REQUIRE(vault::Arena::Open().has_value());
    options_.socket_path = house.home() + "/vaultd.sock";
    options_.server_uid = geteuid();
  }

  // Ask is "" where a key came, else the refusal's name.
  std::string Ask(const std::string& customer, const std::string& request_id, std::int64_t attempt) {
    vault::ResolveRequest request;
    request.request_id = request_id;
    request.attempt = attempt;
    request.customer = customer;
    request.profile_ref = customer + "_DEFAULT";
    return Send(vault::Operation::kResolve, request.Encode());
  }
  // Report says that the provider refused the customer's key; Probe asks for it. "" or the refusal's name.
  std::string Report(const std::string& customer, const std::string& request_id, std::int64_t attempt) {
    return Send(vault::Operation::kReportCall, vault::ReportCallRequest{KeyOf(customer), request_id, 401, customer, attempt}.Encode());
  }
  std::string Probe(const std::string& customer) { return Send(vault::Operation::kProbeSuspect, vault::EncodeText(KeyOf(customer))); }

 private:
  static std::string KeyOf(const std::string& customer) { return customer + "/anthropic/default/1"; }
  std::string Send(vault::Operation operation, Bytes body) {
    const auto answer = vault::AskOnce(options_, operation, std::move(body), 10 * base::kMicrosPerSecond);
    return answer ? "" : std::string(vault::RefusalName(vault::RefusalOf(answer.error())));
  }

  vault::ClientOptions options_;
};

TEST_CASE("taken over: a request's attempt is answered once, also across a restart of vaultd") {
  House house;
  house.Ready();
  TakenOver worker(house);
  REQUIRE(worker.Ask("ACME", "r-1", 1).empty());
  REQUIRE(worker.Ask("ACME", "r-1", 1) == "ATTEMPT_SPENT");
  REQUIRE(worker.Ask("ACME", "r-1", 2).empty());
  house.vaultd().Crash();
  house.StartVaultd();
  REQUIRE(worker.Ask("ACME", "r-1", 2) == "ATTEMPT_SPENT");
  const auto denied = house.Trail({"--action", "resolve", "--outcome", "denied"});
  REQUIRE(denied.size() == 2);
  REQUIRE(Field(denied[0], "reason") == "ATTEMPT_SPENT");
  REQUIRE(Has(house.vaultd().Err(), "release_denied"));
  const Ended status = house.Keytool({"status"});
  INFO(status.out << status.err);
  REQUIRE(status.code == 0);
  REQUIRE(Has(status.err, "asked twice for one release"));
  // The real worker's first ask for that request is denied, its next one is not.
  REQUIRE(Field(house.Ask("r-1", "Hello"), "status") == "success");
}

TEST_CASE("taken over: a flood for one key ends at its ceiling, and the worker's callers hear RATE_LIMITED") {
  House house;
  house.Ready();
  house.Onboard("BARCO");
  REQUIRE(house.Act({"profile", "set", "ACME_DEFAULT", "--rpm", "2"}).code == 0);
  TakenOver worker(house);
  for (int i = 0; i < 10; ++i) REQUIRE(worker.Ask("ACME", "flood", i + 1).empty());
  for (int i = 10; i < 30; ++i) REQUIRE(worker.Ask("ACME", "flood", i + 1) == "KEY_CEILING");
  REQUIRE(worker.Ask("BARCO", "flood", 1).empty());
  REQUIRE(house.Trail({"--action", "resolve", "--outcome", "denied"}).size() == 20);
  const std::string reply = house.Ask("r-1", "Hello", R"({"timeout_ms":2500})");
  INFO(reply);
  REQUIRE(Field(reply, "error_code") == "RATE_LIMITED");
  REQUIRE(house.sim().CallsOf("r-1") == 0);
  // It waited and asked again within the deadline.
  REQUIRE(house.Trail({"--request-id", "r-1", "--outcome", "denied"}).size() == 2);
  REQUIRE(Field(house.Ask("r-2", "Hello", R"({"customer":"BARCO","profile_ref":"BARCO_DEFAULT"})"), "status") == "success");
  // A request that waits is served as soon as the ceiling is lifted.
  house.SendRequest("r-3", "Hello");
  REQUIRE(Eventually([&] { return !house.Trail({"--request-id", "r-3", "--outcome", "denied"}).empty(); }));
  REQUIRE(house.Act({"profile", "set", "ACME_DEFAULT", "--rpm", "0"}).code == 0);
  REQUIRE(Field(house.AwaitReply("r-3"), "status") == "success");
}

TEST_CASE("taken over: draining the vault ends at keys_per_minute") {
  House house;
  house.Init();
  house.SetConfig("keys_per_minute", "3");
  house.StartVaultd();
  for (const std::string customer : {"C1", "C2", "C3", "C4", "C5"}) {
    house.NewKey(customer);
    REQUIRE(house.Act({"onboard", customer, "--provider", "anthropic", "--model", "m", "--no-verify", "--key-file",
                       house.KeyFile(customer)})
                .code == 0);
  }
  TakenOver worker(house);
  for (const std::string customer : {"C1", "C2", "C3"}) REQUIRE(worker.Ask(customer, "drain", 1).empty());
  for (const std::string customer : {"C4", "C5"}) REQUIRE(worker.Ask(customer, "drain", 1) == "USER_CEILING");
  REQUIRE(worker.Ask("C2", "drain", 2).empty());
  REQUIRE(Field(house.Trail({"--customer", "C5", "--outcome", "denied"}).at(0), "reason") == "USER_CEILING");
  REQUIRE(Has(house.Keytool({"status"}).err, "keys_per_minute"));
}

TEST_CASE("taken over: calls that never were have no key probed") {
  House house;
  house.Ready();
  TakenOver worker(house);
  for (int i = 0; i < 3; ++i) REQUIRE(worker.Report("ACME", "never-asked", 1) == "CALL_UNKNOWN");
  REQUIRE(worker.Probe("ACME") == "NO_PROBE_ORDERED");
  REQUIRE(house.Trail({"--action", "report_call", "--outcome", "denied"}).size() == 3);
  REQUIRE(Has(house.Keytool({"status"}).err, "calls that it was given no key for"));
  // One that was made is reported once, also across a crash of vaultd.
  REQUIRE(worker.Ask("ACME", "r-1", 1).empty());
  REQUIRE(worker.Ask("ACME", "r-1", 2).empty());
  REQUIRE(worker.Report("ACME", "r-1", 1).empty());
  house.vaultd().Crash();
  house.StartVaultd();
  REQUIRE(worker.Report("ACME", "r-1", 1) == "CALL_UNKNOWN");
  REQUIRE(worker.Report("ACME", "r-1", 2).empty());
  REQUIRE(worker.Probe("ACME") == "NO_PROBE_ORDERED");
}

}  // namespace
}  // namespace strongroom::e2e
