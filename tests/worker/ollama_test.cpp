#include "tests/worker/calls.h"

#include <catch2/catch.hpp>

using namespace strongroom;
using namespace strongroom::worker;

namespace {

const Provider& kOllama = *FindProvider("ollama");

Profile At(const char* endpoint) { return SomeProfile("ollama", "llama3.2", endpoint); }

}  // namespace

TEST_CASE("ollama: chat is the default") {
  Request request = SomeRequest();
  request.system_prompt = "be brief";
  request.temperature = 0.25;
  request.max_tokens = 5;
  const HttpCall call = kOllama.BuildCall(request, At("http://127.0.0.1:11434"), "hi", {});
  CHECK(call.method == "POST");
  CHECK(call.url == "http://127.0.0.1:11434/api/chat");
  CHECK(call.key_header == KeyHeader::kNone);
  CHECK(call.body == R"({"model":"llama3.2","stream":false,"options":{"num_predict":5,"temperature":0.25},"messages":[)"
                     R"({"role":"system","content":"be brief"},{"role":"user","content":"hi"}]})");
}

TEST_CASE("ollama: an endpoint that ends in /api/generate chooses that form") {
  Request request = SomeRequest();
  request.system_prompt = "s";
  const HttpCall call = kOllama.BuildCall(request, At("https://h/base/api/generate/"), "hi", {});
  CHECK(call.url == "https://h/base/api/generate");
  CHECK(call.body == R"({"model":"llama3.2","stream":false,"options":{"num_predict":1024},"system":"s","prompt":"hi"})");
  CHECK(kOllama.BuildCall(request, At("https://h/base/api/chat"), "hi", {}).url == "https://h/base/api/chat");
  CHECK(kOllama.HealthCheck("https://h/base/api/generate", "").url == "https://h/base/api/tags");
  CHECK(kOllama.HealthCheck("http://127.0.0.1:11434/", "").key_header == KeyHeader::kNone);
}

TEST_CASE("ollama: answers of both forms, with counts or without") {
  const CallSuccess chat = Served("ollama", Answer(200,
      R"({"model":"llama3.2","message":{"role":"assistant","content":"Hello","thinking":"hm"},"done":true,)"
      R"("done_reason":"stop","prompt_eval_count":7,"eval_count":2})"));
  CHECK(chat.text == "Hello");
  CHECK(chat.model == "llama3.2");
  CHECK(chat.finish_reason == "stop");
  CHECK(chat.tokens_in == 7);
  CHECK(chat.tokens_out == 2);
  const CallSuccess generated = Served("ollama", Answer(200, R"({"response":"","done":true,"done_reason":"length"})"));
  CHECK(generated.text.empty());
  CHECK(generated.finish_reason == "length");
  CHECK_FALSE(generated.tokens_in);
  CHECK_FALSE(generated.tokens_out);
}

TEST_CASE("ollama: errors may be prose or HTML") {
  CHECK(Refused("ollama", Answer(404, R"({"error":"model 'x' not found"})")).message == "ollama answered 404");
  CHECK(Refused("ollama", Answer(404, R"({"error":"model 'x' not found"})")).code == ErrorCode::kInvalidRequest);
  CHECK(Refused("ollama", Answer(502, "<html>Bad Gateway</html>")).retry);
}
