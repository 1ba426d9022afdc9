#include "worker/contract.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace strongroom;
using namespace strongroom::worker;

namespace {

std::vector<std::string> NamesOf(const nlohmann::ordered_json& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items()) names.push_back(name);
  return names;
}

}  // namespace

TEST_CASE("reply: a success has exactly the contract's fields") {
  Success success;
  success.response = "h\xc3\xa9llo \"you\"\n";
  success.model_used = "m";
  success.finish_reason = "end_turn";
  success.tokens_in = 4;
  success.latency_ms = 12;
  const auto reply = nlohmann::ordered_json::parse(SuccessReply("r-1", R"({"a":1})", success));
  CHECK(NamesOf(reply) == std::vector<std::string>{"version", "request_id", "status", "response", "model_used", "tokens_in",
                                                   "tokens_out", "latency_ms", "finish_reason", "metadata"});
  CHECK(reply["version"] == "1.0");
  CHECK(reply["status"] == "success");
  CHECK(reply["response"] == success.response);
  CHECK(reply["tokens_in"] == 4);
  CHECK(reply["tokens_out"].is_null());  // absent is not 0
  CHECK(reply["metadata"]["a"] == 1);
}

TEST_CASE("reply: response_ref stands in place of response, dropped only where something was") {
  Success success;
  success.response = "too long";
  success.response_ref = "p-9";
  success.dropped = {"temperature", "max_tokens"};
  const auto reply = nlohmann::ordered_json::parse(SuccessReply("r-1", "", success));
  CHECK_FALSE(reply.contains("response"));
  CHECK_FALSE(reply.contains("metadata"));
  CHECK(reply["response_ref"] == "p-9");
  CHECK(reply["dropped"] == nlohmann::ordered_json({"temperature", "max_tokens"}));
}

TEST_CASE("reply: an error has exactly the contract's fields") {
  const auto reply = nlohmann::ordered_json::parse(
      FailureReply("r-1", "{}", {ErrorCode::kRateLimited, "anthropic answered 429", 5, 1500}));
  CHECK(NamesOf(reply) == std::vector<std::string>{"version", "request_id", "status", "error_code", "error_message",
                                                   "attempts", "retry_after_ms", "metadata"});
  CHECK(reply["error_code"] == "RATE_LIMITED");
  CHECK(reply["attempts"] == 5);
  CHECK(reply["retry_after_ms"] == 1500);
  const auto bare = nlohmann::ordered_json::parse(FailureReply("", "", {ErrorCode::kInvalidRequest, "x", 0, {}}));
  CHECK(bare["request_id"] == "");
  CHECK_FALSE(bare.contains("retry_after_ms"));
  CHECK_FALSE(bare.contains("metadata"));
}

TEST_CASE("reply: all seven error codes have their names") {
  const std::vector<std::string> names = {"RATE_LIMITED", "PROVIDER_AUTH", "PROVIDER_ERROR", "TIMEOUT",
                                          "INVALID_REQUEST", "PROFILE_NOT_FOUND", "INTERNAL"};
  for (std::size_t i = 0; i < names.size(); ++i) CHECK(ErrorCodeName(static_cast<ErrorCode>(i)) == names[i]);
}

TEST_CASE("reply: bad UTF-8 cannot break a reply") {
  Success success;
  success.response = "a\xff\xfe";
  success.finish_reason = "\xc3";
  CHECK(nlohmann::json::accept(SuccessReply("r\xff", "", success)));
  CHECK(nlohmann::json::accept(FailureReply("r", "", {ErrorCode::kInternal, "\xff\n", 0, {}})));
}

TEST_CASE("reply: replies read back") {
  Success success;
  success.response = std::string("x\0y", 3);
  const auto good = ParseReply(SuccessReply("r-1", R"({"status":"error"})", success));
  REQUIRE(good);
  CHECK(good->success);
  CHECK(good->request_id == "r-1");
  CHECK(good->response == success.response);
  const auto bad = ParseReply(FailureReply("r-2", "", {ErrorCode::kTimeout, "late", 1, {}}));
  REQUIRE(bad);
  CHECK_FALSE(bad->success);
  CHECK(bad->error_code == "TIMEOUT");
  CHECK(bad->error_message == "late");
  for (const char* rubbish : {"", "{}", "[]", "null", R"({"version":"1.0","request_id":"r","status":"success"})",
                              R"({"version":"2.0","request_id":"r","status":"success","response":""})",
                              R"({"version":"1.0","request_id":"r","status":"error"})",
                              R"({"version":"1.0","request_id":"r","status":"odd","error_code":"X"})",
                              R"({"version":"1.0","request_id":1,"status":"success","response":""})"}) {
    CAPTURE(rubbish);
    CHECK(ParseReply(rubbish).error().code() == Code::kCorrupt);
  }
}
