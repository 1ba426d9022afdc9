// What a provider can do to a request, and which reply the caller then gets.
#include "tests/e2e/house.h"
#include "tests/e2e/plain_provider.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace strongroom::e2e {

namespace {

struct Case {
  std::string prompt, extra, code;  // code empty: success
  std::int64_t attempts, calls;
};

void OnboardPlain(House& house, const PlainProvider& provider) {
  const Ended done = house.Act({"onboard", "LOCAL", "--provider", "ollama", "--model", "llama3.1",
                                "--endpoint", provider.endpoint(), "--no-verify"});
  INFO(done.out << done.err);
  REQUIRE(done.code == 0);
}

const std::string kLocal = R"({"customer":"LOCAL","profile_ref":"LOCAL_DEFAULT"})";

}  // namespace

TEST_CASE("provider: each fault becomes its error code, after the right number of calls") {
  House house;
  house.Init();
  house.StartSim();
  house.StartVaultd();
  house.Onboard("ACME");
  house.Onboard("BARCO", "openai", "gpt-5-mini");
  REQUIRE(house.Act({"profile", "set", "ACME_DEFAULT", "--models-allowed", "no-such-model,claude-sonnet-4-5"})
              .code == 0);
  house.StartWorker(0, {{"K3SAI_MAX_RETRIES", "2"}});
  const std::string openai = R"({"customer":"BARCO","profile_ref":"BARCO_DEFAULT"})";
  const std::vector<Case> cases = {
      {"[[fault:429]]", "{}", "RATE_LIMITED", 2, 2},
      {"[[fault:429x1]]", "{}", "", 2, 2},
      {"[[fault:500]]", "{}", "PROVIDER_ERROR", 2, 2},
      {"[[fault:502]]", "{}", "PROVIDER_ERROR", 2, 2},
      {"[[fault:503]]", "{}", "PROVIDER_ERROR", 2, 2},
      {"[[fault:504]]", "{}", "PROVIDER_ERROR", 2, 2},
      {"[[fault:529]]", "{}", "PROVIDER_ERROR", 2, 2},
      {"[[fault:529x1]]", "{}", "", 2, 2},
      {"[[fault:html]]", "{}", "PROVIDER_ERROR", 2, 2},
      {"[[fault:malformed]]", "{}", "PROVIDER_ERROR", 1, 1},
      {"[[fault:401]]", "{}", "PROVIDER_AUTH", 1, 1},
      {"[[fault:403]]", "{}", "PROVIDER_AUTH", 1, 1},
      {"[[fault:cut]]", "{}", "TIMEOUT", 1, 1},
      {"[[fault:cutmid]]", "{}", "TIMEOUT", 1, 1},
      {"[[fault:timeout]]", R"({"timeout_ms":1500})", "TIMEOUT", 1, 1},
      {"[[fault:slow]]", "{}", "", 1, 1},
      {"[[fault:429quota]]", "{}", "INVALID_REQUEST", 1, 1},
      {"[[fault:429quota]] ", openai, "RATE_LIMITED", 1, 1},
      {"no such model", R"({"model_override":"no-such-model"})", "INVALID_REQUEST", 1, 1},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    house.SendRequest("f-" + std::to_string(i), cases[i].prompt, cases[i].extra);
  }
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::string id = "f-" + std::to_string(i);
    const std::string reply = house.AwaitReply(id);
    INFO(cases[i].prompt << ": " << reply);
    CHECK(Field(reply, "error_code") == cases[i].code);
    CHECK(house.sim().CallsOf(id) == cases[i].calls);
    CHECK(house.Number(house.work(), "SELECT ATTEMPTS FROM USAGE_LOG WHERE REQUEST_ID = ?1", {id}) ==
          cases[i].attempts);
    if (cases[i].code.empty()) {
      CHECK(Field(reply, "status") == "success");
    } else {
      CHECK(Field(reply, "attempts") == std::to_string(cases[i].attempts));
      CHECK(house.Text(house.work(), "SELECT ERROR_CODE FROM USAGE_LOG WHERE REQUEST_ID = ?1", {id}) ==
            cases[i].code);
    }
  }
  const std::string limited =
      house.Text(house.work(), "SELECT MESSAGE FROM REPLY_MESSAGE WHERE REQUEST_ID = 'f-0'");
  CHECK(Field(limited, "retry_after_ms") == "200");
  REQUIRE(house.worker().running());
}

TEST_CASE("provider: no wait goes past the caller's deadline") {
  House house;
  house.Ready();
  for (const char* fault : {"500", "429", "timeout"}) {
    house.SendRequest(std::string("d-") + fault, std::string("[[fault:") + fault + "]]",
                      R"({"timeout_ms":1200})");
  }
  // What the last attempt met, or TIMEOUT where the deadline came in the midst of one.
  const auto ends_as = [&house](const char* request_id, const char* error_code) {
    const std::string got = Field(house.AwaitReply(request_id), "error_code");
    INFO(request_id << ": " << got);
    REQUIRE((got == error_code || got == "TIMEOUT"));
  };
  ends_as("d-500", "PROVIDER_ERROR");
  ends_as("d-429", "RATE_LIMITED");
  REQUIRE(Field(house.AwaitReply("d-timeout"), "error_code") == "TIMEOUT");
  // All five attempts would have taken 5.6 s of pauses at least.
  CHECK(house.Number(house.work(), "SELECT MAX(LATENCY_MS) FROM USAGE_LOG") < 5000);
  CHECK(house.Number(house.work(), "SELECT ATTEMPTS FROM USAGE_LOG WHERE REQUEST_ID = 'd-500'") < 5);
}

TEST_CASE("provider: a refusal that quotes the key does not carry it to the caller or the log") {
  House house;
  house.Ready();
  const std::string reply = house.Ask("r-1", "[[fault:echo401]]");
  REQUIRE(Field(reply, "error_code") == "PROVIDER_AUTH");
  REQUIRE(!Has(reply, house.KeyText("ACME")));
  REQUIRE(!Has(house.worker().Err(), house.KeyText("ACME")));
}

TEST_CASE("provider: nobody answers at the endpoint") {
  House house;
  house.Init();
  house.StartSim();
  house.StartVaultd();
  house.Onboard("ACME");
  house.StartWorker(0, {{"K3SAI_MAX_RETRIES", "2"}});
  house.sim().process().Crash();
  const std::string reply = house.Ask("r-1", "Hello");
  INFO(reply);
  REQUIRE(Field(reply, "error_code") == "PROVIDER_ERROR");
  REQUIRE(Field(reply, "attempts") == "2");
}

TEST_CASE("provider: a certificate that the CA did not sign ends before the key is sent") {
  House house;
  house.Init();
  house.StartSim();
  house.StartVaultd();
  house.Onboard("ACME");
  // The same port, another certificate authority: the worker trusts the first one.
  WriteWhole(house.Path("first-ca.pem"), ReadWhole(house.Path("tls/ca.pem")));
  REQUIRE(rename(house.Path("tls").c_str(), house.Path("old-tls").c_str()) == 0);
  house.StartSim({}, true);
  house.SetConfig("ca_file", "\"" + house.Path("first-ca.pem") + "\"");
  house.StartWorker(0, {{"K3SAI_MAX_RETRIES", "1"}});
  const std::string reply = house.Ask("r-1", "Hello");
  INFO(reply);
  REQUIRE(Field(reply, "status") == "error");
  REQUIRE(house.sim().CallsInAll() == 0);
  REQUIRE(house.sim().Answers() == 0);
}

TEST_CASE("provider: a response that outgrows a message comes as response_ref, and batch puts it back") {
  const std::string text(100'000, 'z');
  const PlainProvider provider(HttpAnswer("200 OK", OllamaAnswer(text)));
  House house;
  house.Ready();
  OnboardPlain(house, provider);
  const std::string reply = house.Ask("r-1", "Hello", kLocal);
  REQUIRE(reply.size() <= 64'512);
  REQUIRE(Field(reply, "status") == "success");
  REQUIRE(Field(reply, "response").empty());
  const std::string ref = Field(reply, "response_ref");
  REQUIRE(house.Text(house.work(),
                     "SELECT CONTENT FROM AI_PROMPTS WHERE PROMPT_REF = ?1 AND CUSTOMER = 'LOCAL'",
                     {ref}) == text);
  const std::string input = house.Prompts("big.jsonl", 2);
  const Ended batch = house.Batch(
      {"submit", input, "--customer", "LOCAL", "--profile", "LOCAL_DEFAULT", "--out", house.Path("big.out")});
  REQUIRE(batch.code == 0);
  for (const std::string& line : Lines(ReadWhole(house.Path("big.out"))))
    REQUIRE(Field(line, "response") == text);
}

TEST_CASE("provider: redirects are not followed") {
  const PlainProvider elsewhere(HttpAnswer("200 OK", OllamaAnswer("from elsewhere")));
  const PlainProvider provider(
      HttpAnswer("307 Temporary Redirect", "{}", "Location: " + elsewhere.endpoint() + "/api/chat\r\n"));
  House house;
  house.Ready();
  OnboardPlain(house, provider);
  const std::string reply = house.Ask("r-1", "Hello", kLocal);
  INFO(reply);
  REQUIRE(Field(reply, "status") == "error");
  REQUIRE(elsewhere.requests() == 0);
}

TEST_CASE("provider: an endless answer does not end the worker") {
  // 200 MB are promised; far less has to be enough.
  const PlainProvider provider(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 200000000\r\n\r\n" +
      std::string(80'000'000, ' '));
  House house;
  house.Ready();
  OnboardPlain(house, provider);
  const std::string reply =
      house.Ask("r-1", "Hello", R"({"customer":"LOCAL","profile_ref":"LOCAL_DEFAULT","timeout_ms":30000})");
  INFO(reply);
  REQUIRE(Field(reply, "error_code") == "PROVIDER_ERROR");
  REQUIRE(Field(house.Ask("r-2", "Hello"), "status") == "success");
}

}  // namespace strongroom::e2e
