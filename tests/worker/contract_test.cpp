#include "worker/contract.h"

#include <catch2/catch.hpp>

#include "base/bytes.h"

using namespace strongroom;
using namespace strongroom::worker;

namespace {

const std::string kQueue = R"("reply_queue":{"library":"ACME_5DTA","name":"RPLY_000001"})";
const std::string kIds = R"("request_id":"r-1","customer":"ACME","profile_ref":"ACME_DEFAULT",)" + kQueue;

// Message is a good message with more members put in; Bad parses one that must be refused.
std::string Message(const std::string& more, const std::string& version = "\"1.0\"") {
  return "{\"version\":" + version + "," + kIds + "," + more + "}";
}
std::string WithPrompt(const std::string& more) { return Message("\"prompt\":\"hi\"," + more); }

BrokenRequest Bad(const std::string& message) {
  auto parsed = ParseRequest(message);
  REQUIRE_FALSE(parsed.has_value());
  return parsed.error();
}

}  // namespace

TEST_CASE("contract: a full request is read field by field") {
  const std::string message =
      Message(R"("prompt":"h\u00e9llo","system_prompt":"be brief","max_tokens":77,"temperature":0.5,)"
              R"("model_override":"m-2","timeout_ms":5000,"metadata":{"row":1})");
  const auto request = ParseRequest(message);
  REQUIRE(request);
  CHECK(request->version == "1.0");
  CHECK(request->request_id == "r-1");
  CHECK(request->customer == "ACME");
  CHECK(request->profile_ref == "ACME_DEFAULT");
  CHECK(request->reply_queue == QueueName{"ACME_5DTA", "RPLY_000001"});
  CHECK(request->prompt == "h\xc3\xa9llo");
  CHECK(request->system_prompt == "be brief");
  CHECK(request->max_tokens == 77);
  CHECK(request->temperature == 0.5);
  CHECK(request->model_override == "m-2");
  CHECK(request->timeout_ms == 5000);
  CHECK(request->metadata == R"({"row":1})");
}

TEST_CASE("contract: the content hash is SHA-256 of the message's bytes") {
  // FIPS 180-4's own vector hashes "abc"; here two messages that differ by one space must differ.
  const auto one = ParseRequest(Message("\"prompt\":\"hi\"")), two = ParseRequest(Message("\"prompt\": \"hi\""));
  REQUIRE(one);
  REQUIRE(two);
  CHECK(one->content_hash.size() == 32);
  CHECK(one->content_hash != two->content_hash);
  CHECK(one->content_hash == ParseRequest(Message("\"prompt\":\"hi\""))->content_hash);
}

TEST_CASE("contract: versions") {
  const auto with = [](const char* version) { return Message("\"prompt\":\"hi\",\"new_field\":[1]", version); };
  for (const char* good : {"\"1.0\"", "\"1.1\"", "\"1.27\""}) CHECK(ParseRequest(with(good)));
  for (const char* bad : {"\"2.0\"", "\"0.9\"", "\"1\"", "\"1.\"", "\".0\"", "\"1.0.0\"", "\"one\"", "\"\"", "1.0", "null",
                          "\"1.x\"", "\" 1.0\"", "\"-1.0\"", "\"1.9999999999\""}) {
    CAPTURE(bad);
    const BrokenRequest broken = Bad(with(bad));
    CHECK(broken.problem.find("version") != std::string::npos);
    CHECK(broken.reply_queue);  // answered, not dead-lettered
  }
}

TEST_CASE("contract: null is an absent optional field, and no required one") {
  const auto request = ParseRequest(WithPrompt(
      R"("prompt_ref":null,"system_prompt":null,"max_tokens":null,"temperature":null,"model_override":null,)"
      R"("timeout_ms":null,"metadata":null)"));
  REQUIRE(request);
  CHECK_FALSE(request->prompt_ref);
  CHECK_FALSE(request->max_tokens);
  CHECK_FALSE(request->temperature);
  CHECK(request->metadata.empty());
  CHECK(Bad(Message("\"prompt\":null")).problem == "prompt or prompt_ref is missing");
}

TEST_CASE("contract: every required field is required") {
  for (const std::string field : {"version", "request_id", "customer", "profile_ref", "reply_queue", "prompt"}) {
    CAPTURE(field);
    std::string message = Message("\"prompt\":\"hi\"");
    message.replace(message.find("\"" + field + "\""), field.size() + 2, "\"x_" + field + "\"");
    const BrokenRequest broken = Bad(message);
    CHECK(broken.problem.find(field) != std::string::npos);
    CHECK(broken.reply_queue.has_value() == (field != "reply_queue"));
    CHECK(broken.request_id.has_value() == (field != "request_id"));
    CHECK(broken.customer.has_value() == (field != "customer"));
  }
}

TEST_CASE("contract: wrong types and values out of range are refused, and still answered") {
  for (const std::string more :
       {R"("max_tokens":0)", R"("max_tokens":-1)", R"("max_tokens":1000001)", R"("max_tokens":"10")", R"("max_tokens":1.5)",
        R"("max_tokens":1e2)", R"("max_tokens":99999999999999999999)", R"("max_tokens":true)", R"("temperature":1.01)",
        R"("temperature":-0.1)", R"("temperature":"0.5")", R"("temperature":1e400)", R"("temperature":[])",
        R"("timeout_ms":0)", R"("timeout_ms":3600001)", R"("timeout_ms":{})", R"("system_prompt":5)",
        R"("model_override":"")", R"("model_override":7)", R"("model_override":"a\nb")", R"("metadata":[1])",
        R"("metadata":"x")", R"("prompt_ref":"p-1")"}) {
    CAPTURE(more);
    const BrokenRequest broken = Bad(WithPrompt(more));
    CHECK(broken.reply_queue == QueueName{"ACME_5DTA", "RPLY_000001"});
    CHECK(broken.request_id == "r-1");
    CHECK(broken.problem.size() < 200);
  }
  CHECK(Bad(Message("\"prompt\":\"\"")).problem == "prompt must not be empty");
  CHECK(Bad(Message("\"prompt\":[\"hi\"]")).problem == "prompt must be a string");
  CHECK(ParseRequest(WithPrompt(R"("max_tokens":1000000,"timeout_ms":3600000,"temperature":1)")));
  CHECK(ParseRequest(WithPrompt(R"("max_tokens":1,"timeout_ms":1,"temperature":-0.0)"))->temperature == 0.0);
  CHECK(ParseRequest(Message("\"prompt_ref\":\"p-1\""))->prompt_ref == "p-1");
}

TEST_CASE("contract: names have their lengths, in characters") {
  const auto named = [](const std::string& field, const std::string& value) {
    std::string message = Message("\"prompt\":\"hi\"");
    const std::size_t at = message.find("\"" + field + "\":\"") + field.size() + 4;
    return message.replace(at, message.find('"', at) - at, value);
  };
  const std::string e36 = [] { std::string s; for (int i = 0; i < 36; ++i) s += "\xc3\xa9"; return s; }();
  CHECK(ParseRequest(named("request_id", std::string(36, 'a'))));
  CHECK(ParseRequest(named("request_id", e36)));
  CHECK_FALSE(ParseRequest(named("request_id", std::string(37, 'a'))));
  CHECK_FALSE(ParseRequest(named("request_id", "")));
  CHECK_FALSE(ParseRequest(named("request_id", "a\\u0000b")));
  CHECK_FALSE(ParseRequest(named("request_id", "a\\u0085b")));
  CHECK_FALSE(ParseRequest(named("request_id", "a\\u007f")));
  CHECK(ParseRequest(named("customer", std::string(10, 'C'))));
  CHECK_FALSE(ParseRequest(named("customer", std::string(11, 'C'))));
  CHECK(ParseRequest(named("profile_ref", std::string(40, 'P'))));
  CHECK_FALSE(ParseRequest(named("profile_ref", std::string(41, 'P'))));
  CHECK(ParseRequest(named("library", std::string(64, 'L'))));
  CHECK_FALSE(Bad(named("library", std::string(65, 'L'))).reply_queue);
  CHECK_FALSE(Bad(named("name", "")).reply_queue);
}

TEST_CASE("contract: a field given twice is refused, and not believed") {
  CHECK(Bad(WithPrompt("\"prompt\":\"other\"")).problem == "the message has a field twice");
  CHECK(Bad(WithPrompt("\"x\":1,\"\\u0078\":2")).problem == "the message has a field twice");
  const BrokenRequest broken = Bad(WithPrompt(R"("reply_queue":{"library":"EVIL","name":"Q"},"request_id":"r-2")"));
  CHECK_FALSE(broken.reply_queue);
  CHECK_FALSE(broken.request_id);
  CHECK(broken.customer == "ACME");
  CHECK_FALSE(ParseRequest(R"({"version":"1.0","request_id":"r","customer":"A","profile_ref":"P","prompt":"x",)"
                           R"("reply_queue":{"library":"L","name":"N","name":"M"}})"));
}

TEST_CASE("contract: metadata comes back byte for byte") {
  for (const std::string metadata :
       {R"({"big":123456789012345678901234567890,"huge":1e400,"z":1,"a":2,"z":3})", R"({ "sp" : [ 1.0 , 1.00 ] })",
        R"({"\u0061":"\/","e":"\ud83d\ude00"})", R"({})"}) {
    CAPTURE(metadata);
    const auto request = ParseRequest(WithPrompt("\"metadata\":" + metadata));
    REQUIRE(request);
    CHECK(request->metadata == metadata);
    CHECK(Bad("{\"metadata\":" + metadata + "," + kQueue + "}").metadata == metadata);
  }
}

TEST_CASE("contract: the largest metadata still fits the reply") {
  const auto with = [](std::size_t size) {
    return WithPrompt("\"metadata\":{\"m\":\"" + std::string(size - 8, 'm') + "\"}");
  };
  const auto request = ParseRequest(with(kMostMetadataBytes));
  REQUIRE(request);
  Success success;
  success.model_used = std::string(80, 'm');
  success.finish_reason = std::string(64, 'f');
  success.response_ref = std::string(80, 'r');
  success.dropped = {"temperature", "max_tokens"};
  CHECK(SuccessReply(std::string(36, 'i'), request->metadata, success).size() <= kMostMessageBytes);
  CHECK(FailureReply(std::string(36, 'i'), request->metadata, {ErrorCode::kInternal, std::string(9000, '\1'), 5, 1})
            .size() <= kMostMessageBytes);
  const BrokenRequest broken = Bad(with(kMostMetadataBytes + 1));
  CHECK(broken.metadata.empty());
  CHECK(broken.reply_queue);
}

TEST_CASE("contract: a message too long is refused with what can be read of it") {
  const std::string fits = Message("\"prompt\":\"" + std::string(kMostMessageBytes - Message("\"prompt\":\"\"").size(), 'p') + "\"");
  REQUIRE(fits.size() == kMostMessageBytes);
  CHECK(ParseRequest(fits));
  const BrokenRequest one_over = Bad(fits + " ");
  CHECK(one_over.problem == "the message has more than 64512 bytes");
  CHECK(one_over.reply_queue);
  const BrokenRequest vast = Bad(Message("\"prompt\":\"" + std::string(3 << 20, 'p') + "\""));
  CHECK(vast.reply_queue == QueueName{"ACME_5DTA", "RPLY_000001"});
  CHECK(vast.request_id == "r-1");
  CHECK_FALSE(Bad("{\"prompt\":\"" + std::string(3 << 20, 'p') + "\"," + kIds + "}").reply_queue);
}

TEST_CASE("contract: a damaged message is answered where its queue can still be read") {
  const std::string good = Message("\"prompt\":\"hi\"");
  CHECK(Bad(good.substr(0, good.size() - 4)).reply_queue);
  CHECK(Bad(good + "x").reply_queue);
  CHECK(Bad(WithPrompt("\"x\":" + std::string(100, '[') + std::string(100, ']'))).reply_queue);
  CHECK(Bad(WithPrompt("\"x\":\"\xff\"")).problem == "the message is not UTF-8");
  CHECK(Bad(WithPrompt("\"x\":\"\xff\"")).reply_queue);
  CHECK(Bad(WithPrompt("\"x\":\"\\ud800\"")).reply_queue);
  CHECK(Bad(WithPrompt("\"metadata\":{\"x\":\"\xff\"}")).metadata.empty());
  for (const std::string& rubbish : std::vector<std::string>{"", " ", "null", "[]", "\"x\"", "5", "{", "{}", "[" + good + "]", "\xef\xbb\xbf" + good,
                                    std::string("\0\0\0", 3), std::string(70'000, '{'), std::string(2 << 20, '[')}) {
    CHECK_FALSE(Bad(rubbish).reply_queue);
  }
}

TEST_CASE("contract: parse, print, parse") {
  const auto first = ParseRequest(WithPrompt(
      R"("system_prompt":"","temperature":0.30000000000000004,"max_tokens":5,"timeout_ms":7,"model_override":"\u20ac",)"
      R"("metadata":{"a":1e400})"));
  REQUIRE(first);
  const auto second = ParseRequest(SerializeRequest(*first));
  REQUIRE(second);
  CHECK(second->temperature == first->temperature);
  CHECK(second->system_prompt == "");
  CHECK(second->model_override == first->model_override);
  CHECK(second->metadata == first->metadata);
  CHECK(SerializeRequest(*second) == SerializeRequest(*first));
}
