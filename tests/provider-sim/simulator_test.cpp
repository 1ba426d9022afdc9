#include "provider-sim/simulator.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace strongroom::sim {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kKey = "sk-test-0123456789abcdef";
const std::string kAnthropicHeaders =
    "x-api-key: sk-test-0123456789abcdef\r\nanthropic-version: 2023-06-01\r\n";
const std::string kBearer = "authorization: Bearer sk-test-0123456789abcdef\r\n";

Simulator Make(SimulatorOptions options = {}) {
  auto simulator = Simulator::Make(options);
  REQUIRE(simulator.has_value());
  return std::move(*simulator);
}

Reply Ask(Simulator& simulator, const std::string& method_and_path, const std::string& headers,
          const std::string& body) {
  const std::string text = method_and_path + " HTTP/1.1\r\n" + headers +
                           "content-length: " + std::to_string(body.size()) + "\r\n\r\n";
  const auto head = ParseHead(text);
  REQUIRE(head.has_value());
  REQUIRE(head->has_value());
  return simulator.Answer(**head, body);
}

std::string Messages(const std::string& prompt, const std::string& more = "",
                     const std::string& model = "claude-sonnet-4-6") {
  return R"({"model":")" + model + R"(","max_tokens":500,)" + more +
         R"("messages":[{"role":"user","content":")" + prompt + R"("}]})";
}

std::string Chat(const std::string& model, const std::string& more = "") {
  return R"({"model":")" + model + R"(",)" + more + R"("messages":[{"role":"user","content":"hello"}]})";
}

Reply AskAnthropic(Simulator& simulator, const std::string& body) {
  return Ask(simulator, "POST /v1/messages", kAnthropicHeaders, body);
}

Reply AskOpenAi(Simulator& simulator, const std::string& body) {
  return Ask(simulator, "POST /v1/chat/completions", kBearer, body);
}

}  // namespace

TEST_CASE("provider-sim anthropic: answers have the real shape and follow from the prompt") {
  Simulator simulator = Make();
  int thinking = 0;
  int in_two_blocks = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string body = Messages("prompt " + std::to_string(i));
    const Reply reply = AskAnthropic(simulator, body);
    REQUIRE(reply.status == 200);
    const Json json = Json::parse(reply.body);
    CHECK(json["id"].get<std::string>().starts_with("msg_"));
    CHECK(json["type"] == "message");
    CHECK(json["stop_reason"] == "end_turn");
    CHECK(json["usage"]["input_tokens"].get<int>() > 0);
    CHECK(json["usage"]["output_tokens"].get<int>() > 0);
    const Json& content = json["content"];
    thinking += content[0]["type"] == "thinking";
    in_two_blocks += content.size() == 2 && content[0]["type"] == "text";
    CHECK(content.back()["type"] == "text");
    CHECK(AskAnthropic(simulator, body).body == reply.body);
  }
  CHECK(thinking > 10);
  CHECK(in_two_blocks > 3);
}

TEST_CASE("provider-sim anthropic: refusals are those of the real one") {
  Simulator simulator = Make();
  const auto error = [&](const std::string& headers, const std::string& body) {
    const Reply reply = Ask(simulator, "POST /v1/messages", headers, body);
    const Json json = Json::parse(reply.body);
    CHECK(json["type"] == "error");
    CHECK(json["request_id"].is_string());
    return std::to_string(reply.status) + ' ' + json["error"]["type"].get<std::string>() + ' ' +
           json["error"]["message"].get<std::string>();
  };
  const std::string key = "x-api-key: sk-test-0123456789abcdef\r\n";
  const std::string hot = R"("temperature":0.5,)";
  CHECK(error("", Messages("x")) == "401 authentication_error x-api-key header is required");
  CHECK(error("x-api-key: short\r\n" + kBearer, Messages("x")) ==
        "401 authentication_error invalid x-api-key");
  CHECK(error(key, Messages("x")) == "400 invalid_request_error anthropic-version: header is required");
  CHECK(error(key + "anthropic-version: 2020-01-01\r\n", Messages("x"))
            .starts_with("400 invalid_request_error anthropic-version"));
  CHECK(error(key + "anthropic-version: 2026-10-21\r\n", Messages("x", hot)) ==
        "400 invalid_request_error temperature: Extra inputs are not permitted");
  CHECK(error(key + "anthropic-version: 2026-10-21\r\n", Messages("x", R"("top_k":5,)")) ==
        "400 invalid_request_error top_k: Extra inputs are not permitted");
  for (const char* model : {"claude-opus-4-7", "claude-opus-4-8-20260601", "claude-opus-5",
                            "claude-sonnet-5-5", "claude-haiku-5"}) {
    CAPTURE(model);
    CHECK(error(kAnthropicHeaders, Messages("x", hot, model)) ==
          "400 invalid_request_error `temperature` is deprecated for this model.");
  }
  for (const char* model :
       {"claude-opus-4-6", "claude-sonnet-4-20250514", "claude-3-5-haiku-20241022", "claude-opus-", "opus"}) {
    CAPTURE(model);
    CHECK(AskAnthropic(simulator, Messages("x", hot, model)).status == 200);
  }
  CHECK(error(kAnthropicHeaders, Messages("x", "", "no-such-model")) ==
        "404 not_found_error model: no-such-model");
  CHECK(error(kAnthropicHeaders, R"({"model":"m","messages":[]})") ==
        "400 invalid_request_error max_tokens: Field required");
  CHECK(error(kAnthropicHeaders, R"({"model":"m","max_tokens":"9","messages":[]})") ==
        "400 invalid_request_error max_tokens: Input should be a valid integer");
  for (const char* broken : {"", "{", "[]", "null", "{\"model\":\"\xff\"}"}) {
    CHECK(error(kAnthropicHeaders, broken) ==
          "400 invalid_request_error The request body is not valid JSON.");
  }
  CHECK(error(kAnthropicHeaders, R"({"model":"m","max_tokens":9,"messages":[{"role":"user"}]})")
            .starts_with("400"));
}

TEST_CASE("provider-sim anthropic: a small max_tokens cuts the text") {
  Simulator simulator = Make();
  const Reply reply = AskAnthropic(
      simulator,
      R"({"model":"m","max_tokens":3,"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]})");
  const Json json = Json::parse(reply.body);
  CHECK(json["stop_reason"] == "max_tokens");
  CHECK(json["usage"]["output_tokens"] == 3);
}

TEST_CASE("provider-sim openai: answers and refusals") {
  Simulator simulator = Make();
  const Json json =
      Json::parse(AskOpenAi(simulator, Chat("gpt-4o-mini", R"("max_tokens":100,"temperature":0,)")).body);
  CHECK(json["object"] == "chat.completion");
  CHECK(json["choices"][0]["message"]["content"].get<std::string>().size() > 10);
  CHECK(json["choices"][0]["finish_reason"] == "stop");
  CHECK(json["usage"]["total_tokens"] ==
        json["usage"]["prompt_tokens"].get<int>() + json["usage"]["completion_tokens"].get<int>());
  const auto error = [&](const std::string& body) {
    const Reply reply = AskOpenAi(simulator, body);
    const Json fields = Json::parse(reply.body)["error"];
    return std::to_string(reply.status) + ' ' + fields["code"].dump() + ' ' + fields["param"].dump();
  };
  for (const char* model : {"o1", "o3-mini", "gpt-5", "gpt-5-mini"}) {
    CAPTURE(model);
    CHECK(error(Chat(model, R"("max_tokens":100,)")) == R"(400 "unsupported_parameter" "max_tokens")");
    CHECK(error(Chat(model, R"("temperature":0,)")) == R"(400 "unsupported_value" "temperature")");
    CHECK(AskOpenAi(simulator, Chat(model, R"("temperature":1,"max_completion_tokens":100,)")).status == 200);
  }
  CHECK(error(Chat("no-such")) == R"(404 "model_not_found" null)");
  const Json spent = Json::parse(AskOpenAi(simulator, Chat("o1", R"("max_completion_tokens":8,)")).body);
  CHECK(spent["choices"][0]["message"]["content"] == "");
  CHECK(spent["choices"][0]["finish_reason"] == "length");
  CHECK(spent["usage"]["completion_tokens"] == 8);
  const Reply wrong =
      Ask(simulator, "POST /v1/chat/completions", "authorization: Bearer nope\r\n", Chat("gpt-4o"));
  CHECK(wrong.status == 401);
  CHECK(Json::parse(wrong.body)["error"]["code"] == "invalid_api_key");
}

TEST_CASE("provider-sim ollama: no key, and counts that are sometimes absent") {
  Simulator simulator = Make();
  int without_input = 0;
  int without_both = 0;
  for (int i = 0; i < 100; ++i) {
    const Reply reply = Ask(simulator, "POST /api/generate", "",
                            R"({"model":"llama3.2","stream":false,"prompt":")" + std::to_string(i) + "\"}");
    REQUIRE(reply.status == 200);
    const Json json = Json::parse(reply.body);
    CHECK(json["done"] == true);
    CHECK(json["response"].get<std::string>().size() > 10);
    without_input += !json.contains("prompt_eval_count");
    without_both += !json.contains("eval_count");
  }
  CHECK(without_input > 10);
  CHECK(without_both > 3);
  CHECK(without_input > without_both);
  const Reply chat = Ask(simulator, "POST /api/chat", "", Chat("llama3.2", R"("stream":false,)"));
  CHECK(Json::parse(chat.body)["message"]["role"] == "assistant");
  CHECK(Ask(simulator, "POST /api/chat", "", Chat("llama3.2")).status == 400);
  CHECK(Json::parse(Ask(simulator, "GET /api/tags", "", "").body)["models"].size() == 1);
}

TEST_CASE("provider-sim: routes, methods and probes") {
  Simulator simulator = Make();
  CHECK(Ask(simulator, "GET /nothing", "", "").status == 404);
  CHECK(Ask(simulator, "GET /v1/messages", "", "").status == 405);
  CHECK(Ask(simulator, "POST /sim/calls", "", "").status == 405);
  CHECK(Json::parse(Ask(simulator, "GET /v1/models", "", "").body)["error"]["type"] ==
        "invalid_request_error");
  const Reply refused = Ask(simulator, "GET /v1/models", "anthropic-version: 2023-06-01\r\n", "");
  CHECK(refused.status == 401);
  CHECK(Json::parse(refused.body)["error"]["type"] == "authentication_error");
  CHECK(Ask(simulator, "GET /v1/models", kAnthropicHeaders, "").status == 200);
  CHECK(Ask(simulator, "GET /v1/models", kBearer, "").status == 200);
  CHECK(Ask(simulator, "GET /v1/models/gpt-5", kBearer, "").status == 200);
  CHECK(Ask(simulator, "GET /v1/models/gpt-5", "", "").status == 401);
  CHECK(Ask(simulator, "POST /v1/models/gpt-5", kBearer, "").status == 405);
  const Reply none = Ask(simulator, "GET /v1/models/no-such-model", kAnthropicHeaders, "");
  CHECK(none.status == 404);
  CHECK(Json::parse(none.body)["error"]["type"] == "not_found_error");
}

TEST_CASE("provider-sim: calls are counted by request id, else by prompt") {
  Simulator simulator = Make();
  AskAnthropic(simulator, Messages("once"));
  AskAnthropic(simulator, Messages("once"));
  Ask(simulator, "POST /v1/messages", kAnthropicHeaders + "X-Request-Id: abc\r\n", Messages("once"));
  const Json calls = Json::parse(Ask(simulator, "GET /sim/calls", "", "").body);
  CHECK(calls.size() == 2);
  CHECK(calls["abc"] == 1);
  // The first half of what sha256sum says of "once".
  CHECK(calls["200651a8b2d5912f692db89468a7d47d"] == 2);
  const Json stats = Json::parse(Ask(simulator, "GET /sim/stats", "", "").body);
  CHECK(stats["calls"] == 3);
  CHECK(stats["by_status"]["200"] == 3);
  CHECK(Ask(simulator, "POST /sim/reset", "", "").status == 200);
  CHECK(Ask(simulator, "GET /sim/calls", "", "").body == "{}");
}

TEST_CASE("provider-sim: each fault does what its name says") {
  Simulator simulator = Make();
  const auto ask = [&](const std::string& fault) {
    return AskAnthropic(simulator, Messages("[[fault:" + fault + "]]"));
  };
  for (const int status : {401, 403, 429, 500, 502, 503, 504, 529}) {
    const Reply reply = ask(std::to_string(status));
    CHECK(reply.status == status);
    CHECK(Json::parse(reply.body)["type"] == "error");
    CHECK((reply.headers.find("retry-after-ms: 200\r\n") != std::string::npos) == (status == 429));
  }
  CHECK(ask("429quota").status == 400);
  CHECK(Json::parse(
            AskOpenAi(simulator,
                      R"({"model":"gpt-4o","messages":[{"role":"user","content":"[[fault:429quota]]"}]})")
                .body)["error"]["code"] == "insufficient_quota");
  CHECK(ask("timeout").delivery == Delivery::kSilence);
  CHECK(ask("cut").delivery == Delivery::kCut);
  CHECK(ask("cutmid").delivery == Delivery::kHalf);
  CHECK(ask("slow").delay_ms == 3000);
  CHECK_FALSE(Json::accept(ask("malformed").body));
  CHECK(ask("html").content_type == "text/html");
  CHECK(ask("echo").status == 200);
  CHECK(ask("echo").body.find(kKey) != std::string::npos);
  CHECK(ask("echoaside").status == 200);
  CHECK(Json::parse(ask("echoaside").body)["request_headers"]["x-api-key"] == kKey);
  CHECK(Json::parse(ask("echoaside").body)["content"].dump().find(kKey) == std::string::npos);
  CHECK(ask("echoheader").status == 200);
  CHECK(ask("echoheader").body.find(kKey) == std::string::npos);
  CHECK(ask("echoheader").headers.find(std::string("x-echo: ").append(kKey) + "\r\n") != std::string::npos);
  CHECK(ask("echo302").status == 302);
  CHECK(ask("echo302").headers.find(std::string("?key=").append(kKey) + "\r\n") != std::string::npos);
  CHECK(ask("echocut").delivery == Delivery::kHead);
  CHECK(ask("echo400").status == 400);
  CHECK(ask("echo400").body.find(kKey) != std::string::npos);
  CHECK(ask("echo401").status == 401);
  CHECK(ask("echo401").body.find(kKey) != std::string::npos);
}

TEST_CASE("provider-sim: latency is the flag's unless the prompt asks for another") {
  SimulatorOptions options;
  options.latency_ms = 300;
  Simulator simulator = Make(options);
  CHECK(AskAnthropic(simulator, Messages("x")).delay_ms == 300);
  CHECK(AskAnthropic(simulator, Messages("[[latency:10]]")).delay_ms == 10);
  CHECK(Ask(simulator, "GET /v1/models", kBearer, "").delay_ms == 0);
}

TEST_CASE("provider-sim: the key file is read again when it changes") {
  const auto directory = std::filesystem::temp_directory_path() / ("sim-keys-" + std::to_string(getpid()));
  std::filesystem::create_directory(directory);
  const std::string path = directory / "keys";
  const auto write = [&](const std::string& text) { std::ofstream(path) << text; };
  write("sk-test-another-key-000\r\n\n");
  SimulatorOptions options;
  options.valid_key_path = path;
  Simulator simulator = Make(options);
  CHECK(AskAnthropic(simulator, Messages("x")).status == 401);
  write(std::string(kKey) + "\n");
  CHECK(AskAnthropic(simulator, Messages("x")).status == 200);
  std::filesystem::remove(path);
  CHECK(AskAnthropic(simulator, Messages("x")).status == 200);
  write("");
  CHECK(AskAnthropic(simulator, Messages("x")).status == 401);
  std::filesystem::remove_all(directory);
  CHECK_FALSE(Simulator::Make(options).has_value());
}

}  // namespace strongroom::sim
