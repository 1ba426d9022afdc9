#include "tests/worker/calls.h"

#include <catch2/catch.hpp>

using namespace strongroom;
using namespace strongroom::worker;

namespace {

const Provider& kAnthropic = *FindProvider("anthropic");

Profile OldVersion() {
  Profile profile = SomeProfile("anthropic", "claude-haiku-4-5", "https://api.anthropic.com");
  profile.api_version = "2023-06-01";
  return profile;
}

HttpAnswer ErrorAnswer(int status, const std::string& type, const std::string& message) {
  return Answer(status, R"({"type":"error","error":{"type":")" + type + R"(","message":")" + message + R"("}})");
}

}  // namespace

TEST_CASE("anthropic: the call of today's version") {
  Request request = SomeRequest();
  request.system_prompt = "be \"brief\"";
  request.temperature = 0.5;
  const Profile profile = SomeProfile("anthropic", "claude-opus-5", "https://api.anthropic.com");
  const HttpCall call = kAnthropic.BuildCall(request, profile, "h\xc3\xa9llo\n", {});
  CHECK(call.method == "POST");
  CHECK(call.url == "https://api.anthropic.com/v1/messages");
  CHECK(call.key_header == KeyHeader::kApiKey);
  CHECK(HasHeader(call, "anthropic-version: 2026-10-21"));
  CHECK(HasHeader(call, "content-type: application/json"));
  CHECK(HasHeader(call, "x-request-id: r-1"));
  CHECK(call.body == R"({"model":"claude-opus-5","max_tokens":1024,"system":"be \"brief\"",)"
                     "\"messages\":[{\"role\":\"user\",\"content\":\"h\xc3\xa9llo\\n\"}]}");
  CHECK(call.left_out == std::vector<std::string>{"temperature"});  // not with 2026-10-21
}

TEST_CASE("anthropic: 2023-06-01 carries a temperature only where one is set and the model takes it") {
  Request request = SomeRequest();
  Profile profile = OldVersion();
  CHECK(kAnthropic.BuildCall(request, profile, "x", {}).body.find("temperature") == std::string::npos);
  CHECK(kAnthropic.BuildCall(request, profile, "x", {}).left_out.empty());
  profile.default_temp_tenths = 7;
  CHECK(kAnthropic.BuildCall(request, profile, "x", {}).body.find("\"temperature\":0.7,") != std::string::npos);
  request.temperature = 0.0;
  const HttpCall call = kAnthropic.BuildCall(request, profile, "x", {});
  CHECK(call.body.find("\"temperature\":0,") != std::string::npos);
  CHECK(HasHeader(call, "anthropic-version: 2023-06-01"));
  const HttpCall without = kAnthropic.BuildCall(request, profile, "x", {"temperature"});
  CHECK(without.body.find("temperature") == std::string::npos);
  CHECK(without.left_out == std::vector<std::string>{"temperature"});
}

TEST_CASE("anthropic: the request overrides the profile") {
  Request request = SomeRequest();
  Profile profile = OldVersion();
  profile.system_prompt = "house rules";
  profile.default_max_tokens = 33;
  CHECK(kAnthropic.BuildCall(request, profile, "x", {}).body.find("\"max_tokens\":33,\"system\":\"house rules\"") !=
        std::string::npos);
  request.max_tokens = 44;
  request.system_prompt = "";
  request.model_override = "m-2";
  CHECK(kAnthropic.BuildCall(request, profile, "x", {}).body ==
        R"({"model":"m-2","max_tokens":44,"messages":[{"role":"user","content":"x"}]})");
}

TEST_CASE("anthropic: endpoints with a base path, slashes or /v1") {
  const auto url = [](const char* endpoint) {
    return kAnthropic.BuildCall(SomeRequest(), SomeProfile("anthropic", "m", endpoint), "x", {}).url;
  };
  CHECK(url("https://h:8443/") == "https://h:8443/v1/messages");
  CHECK(url("https://h/base//") == "https://h/base/v1/messages");
  CHECK(url("https://h/base/v1/") == "https://h/base/v1/messages");
  CHECK(url("https://h/v1/messages") == "https://h/v1/messages");
  CHECK(url("https://v1") == "https://v1/v1/messages");
  const HttpCall health = kAnthropic.HealthCheck("https://h/v1", "");
  CHECK(health.method == "GET");
  CHECK(health.url == "https://h/v1/models");
  CHECK(health.key_header == KeyHeader::kApiKey);
  CHECK(HasHeader(health, "anthropic-version: 2026-10-21"));
  CHECK(health.body.empty());
  const HttpCall one = kAnthropic.ModelCheck("https://h/v1", "", "claude 5/../x?#\xc3\xa9");
  CHECK(one.url == "https://h/v1/models/claude%205%2F..%2Fx%3F%23%C3%A9");
  CHECK(one.key_header == KeyHeader::kApiKey);
}

TEST_CASE("anthropic: text blocks are joined, others skipped") {
  const CallSuccess success = Served("anthropic", Answer(200,
      R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5","content":[)"
      R"({"type":"thinking","thinking":"hm","signature":"x"},{"type":"text","text":"Hel"},{"type":"tool_use","text":"no"},)"
      R"({"type":"text","text":"lo \ud83d\ude00"}],"stop_reason":"end_turn","stop_sequence":null,)"
      R"("usage":{"input_tokens":12,"output_tokens":3,"service_tier":"standard"}})"));
  CHECK(success.text == "Hello \xf0\x9f\x98\x80");
  CHECK(success.model == "claude-opus-5");
  CHECK(success.finish_reason == "end_turn");
  CHECK(success.tokens_in == 12);
  CHECK(success.tokens_out == 3);
}

TEST_CASE("anthropic: an empty text is a success with its reason, counts that are none are absent") {
  const CallSuccess success = Served("anthropic", Answer(200,
      R"({"content":[],"stop_reason":"max_tokens","model":")" + std::string(300, 'm') +
      R"(","usage":{"input_tokens":-1,"output_tokens":"3"}})"));
  CHECK(success.text.empty());
  CHECK(success.finish_reason == "max_tokens");
  CHECK(success.model.size() == 80);
  CHECK_FALSE(success.tokens_in);
  CHECK_FALSE(success.tokens_out);
  CHECK_FALSE(Served("anthropic", Answer(200, R"({"content":[],"usage":{"input_tokens":99999999999}})")).tokens_in);
}

TEST_CASE("anthropic: bad UTF-8 in an answer is mended, not lost") {
  CHECK(Served("anthropic", Answer(200, "{\"content\":[{\"type\":\"text\",\"text\":\"\xc3\xa9 \xff\"}]}")).text ==
        "\xc3\xa9 \xef\xbf\xbd");
}

TEST_CASE("anthropic: a 400 that refuses the temperature says so") {
  for (const char* text : {"`temperature` is deprecated for this model.", "temperature: Extra inputs are not permitted"}) {
    const CallFailure failure = Refused("anthropic", ErrorAnswer(400, "invalid_request_error", text));
    CHECK(failure.code == ErrorCode::kInvalidRequest);
    CHECK_FALSE(failure.retry);
    CHECK(failure.unsupported_parameter == "temperature");
  }
  for (const char* text : {"temperature: range: 0..1", "max_tokens: unsupported", "temperatures are not supported", "unsupported"}) {
    CHECK_FALSE(Refused("anthropic", ErrorAnswer(400, "invalid_request_error", text)).unsupported_parameter);
  }
  CHECK_FALSE(Refused("anthropic", ErrorAnswer(500, "api_error", "temperature unsupported")).unsupported_parameter);
}

TEST_CASE("anthropic: errors are told by status and type") {
  const CallFailure overloaded = Refused("anthropic", ErrorAnswer(529, "overloaded_error", "Overloaded"));
  CHECK(overloaded.message == "anthropic answered 529 overloaded_error");
  CHECK(overloaded.retry);
  const CallFailure poor = Refused("anthropic",
      ErrorAnswer(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."));
  CHECK(poor.message.find("credit balance of the customer's account is too low") != std::string::npos);
  CHECK(poor.code == ErrorCode::kInvalidRequest);
}
