#include "worker/provider/provider.h"

#include "tests/worker/calls.h"

#include <catch2/catch.hpp>

using namespace strongroom;
using namespace strongroom::worker;

namespace {

const std::vector<std::string> kNames = {"anthropic", "openai", "ollama"};

}  // namespace

TEST_CASE("provider: three are known") {
  for (const auto& name : kNames) {
    REQUIRE(FindProvider(name) != nullptr);
    CHECK(FindProvider(name)->name() == name);
    CHECK(FindProvider(name)->needs_key() == (name != "ollama"));
  }
  for (const char* name : {"", "Anthropic", "azure"}) CHECK(FindProvider(name) == nullptr);
}

TEST_CASE("provider: statuses become error codes, and only six are worth another attempt") {
  const struct {
    int status;
    ErrorCode code;
    bool retry;
  } kRows[] = {{400, ErrorCode::kInvalidRequest, false}, {401, ErrorCode::kProviderAuth, false},
               {402, ErrorCode::kProviderError, false},  {403, ErrorCode::kProviderAuth, false},
               {404, ErrorCode::kInvalidRequest, false}, {408, ErrorCode::kProviderError, false},
               {409, ErrorCode::kProviderError, false},  {413, ErrorCode::kInvalidRequest, false},
               {422, ErrorCode::kInvalidRequest, false}, {429, ErrorCode::kRateLimited, true},
               {500, ErrorCode::kProviderError, true},   {501, ErrorCode::kProviderError, false},
               {502, ErrorCode::kProviderError, true},   {503, ErrorCode::kProviderError, true},
               {504, ErrorCode::kProviderError, true},   {529, ErrorCode::kProviderError, true},
               {301, ErrorCode::kProviderError, false},  {307, ErrorCode::kProviderError, false},
               {0, ErrorCode::kProviderError, false},    {100, ErrorCode::kProviderError, false}};
  for (const auto& name : kNames) {
    for (const auto& row : kRows) {
      CAPTURE(name, row.status);
      for (const char* body : {"", "<html>Bad Gateway</html>", "{\"error\":{\"type\":\"some_error\"}}", "{\"error\":\"x\"}", "[]",
                               "{\"error\":null}", "5"}) {
        HttpAnswer answer = Answer(row.status, body);
        CHECK(Refused(name.c_str(), answer).code == row.code);
        CHECK(Refused(name.c_str(), answer).retry == row.retry);
        CHECK_FALSE(Refused(name.c_str(), answer).unsupported_parameter);
        answer.should_retry = "true";  // never beyond the list
        CHECK(Refused(name.c_str(), answer).retry == row.retry);
        answer.should_retry = "false";
        CHECK_FALSE(Refused(name.c_str(), answer).retry);
      }
    }
  }
}

TEST_CASE("provider: a 200 that cannot be read is an error that is not retried") {
  for (const auto& name : kNames) {
    for (const std::string& body : std::vector<std::string>{"", "<html><body>ok</body></html>", "{", "{}", "[]", "null", "{\"content\":\"x\"}", "{\"choices\":[]}",
          "{\"choices\":[{\"message\":null}]}", "{\"choices\":[{\"message\":{\"content\":5}}]}", "{\"message\":{}}",
          "{\"message\":{\"content\":null}}", "{\"error\":{\"type\":\"api_error\"}}", "{\"response\":[]}"}) {
      CAPTURE(name, body);
      const CallFailure failure = Refused(name.c_str(), Answer(200, body));
      CHECK(failure.code == ErrorCode::kProviderError);
      CHECK_FALSE(failure.retry);
    }
  }
}

TEST_CASE("provider: a message never quotes the body") {
  const std::string canary = "sk-canary-0123456789";
  for (const auto& name : kNames) {
    for (const int status : {200, 400, 401, 429, 500}) {
      for (const std::string& body : std::vector<std::string>{"{\"error\":{\"type\":\"" + canary + "\",\"code\":\"" + canary + "\",\"message\":\"" + canary + "\"}}",
            "{\"error\":\"" + canary + "\"}", canary, "{\"type\":\"error\",\"message\":\"" + canary + "\"}"}) {
        CHECK(Refused(name.c_str(), Answer(status, body)).message.find("canary") == std::string::npos);
      }
    }
  }
  const std::string long_token = "{\"error\":{\"type\":\"" + std::string(41, 'a') + "\"}}";
  CHECK(Refused("anthropic", Answer(500, long_token)).message == "anthropic answered 500");
}

TEST_CASE("provider: the model is the override, else the profile's") {
  Request request = SomeRequest();
  const Profile profile = SomeProfile("openai", "m-1", "https://api.openai.com");
  CHECK(ModelUsed(request, profile) == "m-1");
  request.model_override = "m-2";
  CHECK(ModelUsed(request, profile) == "m-2");
}

TEST_CASE("provider: the estimate bounds the cost, where there is a rate") {
  Request request = SomeRequest();
  request.max_tokens = 100;
  const Profile profile = SomeProfile("openai", "m-1", "https://api.openai.com");
  const std::vector<vault::Rate> rates = {{"m-1", "openai", 1'000'000, 10'000'000, 0}};
  const auto estimate = FindProvider("openai")->EstimateCost(request, profile, "0123456789", rates, 1);
  REQUIRE(estimate);
  CHECK(estimate->tokens_in == 74);
  CHECK(estimate->most_tokens_out == 100);
  CHECK(estimate->most_usd == 0.001074);
  CHECK_FALSE(FindProvider("ollama")->EstimateCost(request, profile, "x", rates, 1));
}

TEST_CASE("provider: what goes into a header cannot break out of it") {
  Request request = SomeRequest();
  Profile profile = SomeProfile("anthropic", "m", "https://api.anthropic.com");
  profile.api_version = "2023-06-01\r\nx-evil: 1";
  request.request_id = "r 1";
  const HttpCall call = FindProvider("anthropic")->BuildCall(request, profile, "x", {});
  CHECK(HasHeader(call, "anthropic-version: 2026-10-21"));
  for (const std::string& header : call.headers) {
    CHECK(header.find_first_of("\r\n") == std::string::npos);
    CHECK_FALSE(header.starts_with("x-request-id"));
  }
}
