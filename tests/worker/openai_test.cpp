#include "tests/worker/calls.h"

#include <catch2/catch.hpp>

using namespace strongroom;
using namespace strongroom::worker;

namespace {

const Provider& kOpenAi = *FindProvider("openai");

std::string Body(const Profile& profile, const std::set<std::string>& dropped = {}) {
  return kOpenAi.BuildCall(SomeRequest(), profile, "x", dropped).body;
}
Profile At(const char* endpoint) { return SomeProfile("openai", "gpt-5", endpoint); }

HttpAnswer ErrorAnswer(int status, const std::string& message, const std::string& rest) {
  return Answer(status, R"({"error":{"message":")" + message + "\"," + rest + "}}");
}

}  // namespace

TEST_CASE("openai: the call") {
  Request request = SomeRequest();
  request.system_prompt = "be brief";
  request.temperature = 1.0;
  request.max_tokens = 9;
  const HttpCall call = kOpenAi.BuildCall(request, At("https://api.openai.com"), "hi", {});
  CHECK(call.url == "https://api.openai.com/v1/chat/completions");
  CHECK(call.key_header == KeyHeader::kBearer);
  CHECK(call.body == R"({"model":"gpt-5","max_completion_tokens":9,"temperature":1,"messages":[)"
                     R"({"role":"system","content":"be brief"},{"role":"user","content":"hi"}]})");
  CHECK(call.left_out.empty());
}

TEST_CASE("openai: the limit goes by its host's name, the profile's word, and what was refused") {
  const std::string kOld = "\"max_tokens\":1024", kNew = "\"max_completion_tokens\":1024";
  const auto has = [](const std::string& body, const std::string& part) { return body.find(part) != std::string::npos; };
  CHECK(has(Body(At("https://API.openai.com:443/v1/")), kNew));
  CHECK(has(Body(At("https://localhost:8000/v1")), kOld));
  CHECK(has(Body(At("https://api.openai.com.evil.example")), kOld));
  Profile told = At("https://localhost:8000");
  told.api_version = "completion_tokens";
  CHECK(has(Body(told), kNew));
  told = At("https://api.openai.com");
  told.api_version = "max_tokens";
  CHECK(has(Body(told), kOld));
  CHECK(has(Body(told, {"max_tokens"}), kNew));
  CHECK(has(Body(At("https://api.openai.com"), {"max_completion_tokens"}), kOld));
  const HttpCall neither =
      kOpenAi.BuildCall(SomeRequest(), told, "x", {"max_tokens", "max_completion_tokens"});
  CHECK_FALSE(has(neither.body, "1024"));
  CHECK(neither.left_out == std::vector<std::string>{"max_tokens"});
}

TEST_CASE("openai: a temperature that a model refuses is left out") {
  Profile profile = At("https://api.openai.com");
  CHECK(Body(profile).find("temperature") == std::string::npos);
  profile.default_temp_tenths = 3;
  CHECK(Body(profile).find("\"temperature\":0.3") != std::string::npos);
  CHECK(Body(profile, {"temperature"}).find("temperature") == std::string::npos);
}

TEST_CASE("openai: endpoints of compatible servers") {
  const auto url = [](const char* endpoint) {
    return kOpenAi.BuildCall(SomeRequest(), At(endpoint), "x", {}).url;
  };
  CHECK(url("https://router.example/api/v1") == "https://router.example/api/v1/chat/completions");
  CHECK(url("https://h/v1/chat/completions/") == "https://h/v1/chat/completions");
  CHECK(url("https://h/") == "https://h/v1/chat/completions");
  CHECK(kOpenAi.HealthCheck("https://h/v1/", "max_tokens").url == "https://h/v1/models");
  CHECK(kOpenAi.HealthCheck("https://h", "").key_header == KeyHeader::kBearer);
  CHECK(kOpenAi.ModelCheck("https://api.openai.com/v1", "", "gpt-5").url == "https://api.openai.com/v1/models/gpt-5");
  CHECK(kOpenAi.ModelCheck("https://h/v1", "", "gpt-5").url == "https://h/v1/models");
}

TEST_CASE("openai: the first choice is the answer") {
  const CallSuccess success = Served("openai", Answer(200,
      R"({"id":"c","object":"chat.completion","model":"gpt-5-2026","choices":[{"index":0,"message":{"role":"assistant",)"
      R"("content":"Hello","refusal":null},"finish_reason":"stop"},{"message":{"content":"no"}}],)"
      R"("usage":{"prompt_tokens":9,"completion_tokens":0,"total_tokens":9}})"));
  CHECK(success.text == "Hello");
  CHECK(success.model == "gpt-5-2026");
  CHECK(success.finish_reason == "stop");
  CHECK(success.tokens_in == 9);
  CHECK(success.tokens_out == 0);
}

TEST_CASE("openai: a limit spent on reasoning is a success without text") {
  const auto text = [](const std::string& message) {
    return Served("openai", Answer(200, R"({"choices":[{"message":)" + message + R"(,"finish_reason":"length"}]})"));
  };
  CHECK(text(R"({"content":""})").finish_reason == "length");
  CHECK(text(R"({"content":null})").text.empty());
  CHECK(text(R"({"role":"assistant"})").text.empty());
  CHECK_FALSE(text(R"({"content":""})").tokens_in);
  CHECK(text(R"({"content":[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]})").text == "ab");
}

TEST_CASE("openai: a 400 that names an unsupported parameter") {
  const auto named = [](const HttpAnswer& answer) { return Refused("openai", answer).unsupported_parameter; };
  CHECK(named(ErrorAnswer(400, "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) "
                         "value is supported.",
                    R"("type":"invalid_request_error","param":"temperature","code":"unsupported_value")")) == "temperature");
  const std::string use = "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                          "'max_completion_tokens' instead.";
  CHECK(named(ErrorAnswer(400, use, R"("type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter")")) ==
        "max_tokens");
  CHECK(named(ErrorAnswer(400, use, R"("type":"invalid_request_error","param":null)")) == "max_tokens");
  CHECK(named(ErrorAnswer(400, "Unrecognized request argument supplied: max_completion_tokens",
                    R"("type":"invalid_request_error","param":null,"code":null)")) == "max_completion_tokens");
  CHECK(named(Answer(422, R"({"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"],)"
                          R"("msg":"Extra inputs are not permitted"}]})")) == "max_completion_tokens");
  CHECK_FALSE(named(ErrorAnswer(400, "Unsupported value: 'messages'", R"("param":"messages","code":"unsupported_value")")));
  CHECK_FALSE(named(ErrorAnswer(400, "Invalid 'temperature': expected a value between 0 and 2.",
                          R"("param":"temperature","code":"decimal_above_max_value")")));
  CHECK_FALSE(named(ErrorAnswer(400, "max_tokens is too large: 99999", R"("param":"max_tokens","code":null)")));
  CHECK_FALSE(named(ErrorAnswer(500, use, R"("param":"max_tokens","code":"unsupported_parameter")")));
}

TEST_CASE("openai: a spent quota is not worth retrying") {
  const CallFailure spent = Refused("openai", ErrorAnswer(429, "You exceeded your current quota",
                                                    R"("type":"insufficient_quota","code":"insufficient_quota")"));
  CHECK(spent.code == ErrorCode::kRateLimited);
  CHECK_FALSE(spent.retry);
  CHECK(spent.message == "openai answered 429 insufficient_quota: the quota of the customer's account is spent");
  CHECK(Refused("openai", ErrorAnswer(429, "slow down", R"("type":"requests","code":"rate_limit_exceeded")")).retry);
  CHECK(Refused("openai", ErrorAnswer(401, "Incorrect API key provided: sk-x", R"("code":"invalid_api_key")")).message ==
        "openai answered 401 invalid_api_key");
}
