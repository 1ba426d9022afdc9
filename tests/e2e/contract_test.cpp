// The request contract from outside: raw messages on the queue, replies as they come.
#include "tests/e2e/house.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace strongroom::e2e {
using Json = nlohmann::ordered_json;

TEST_CASE(
    "contract: what breaks it is answered INVALID_REQUEST, or dead-lettered where nobody can be answered") {
  House house;
  house.Ready();
  const std::vector<std::pair<std::string, std::string>> answered = {
      {"other major", R"({"version":"2.0"})"},
      {"no version", R"({"version":null})"},
      {"version is a number", R"({"version":1.0})"},
      {"version of one part", R"({"version":"1"})"},
      {"no customer", R"({"customer":null})"},
      {"long customer", R"({"customer":"ELEVENCHARS"})"},
      {"customer is a number", R"({"customer":7})"},
      {"no profile", R"({"profile_ref":null})"},
      {"no prompt", R"({"prompt":null})"},
      {"prompt and prompt_ref", R"({"prompt_ref":"p"})"},
      {"prompt is a list", R"({"prompt":["a"]})"},
      {"empty prompt", R"({"prompt":""})"},
      {"system prompt is a number", R"({"system_prompt":1})"},
      {"max_tokens is text", R"({"max_tokens":"5"})"},
      {"max_tokens 0", R"({"max_tokens":0})"},
      {"max_tokens 1.5", R"({"max_tokens":1.5})"},
      {"temperature 1.1", R"({"temperature":1.1})"},
      {"temperature -0.1", R"({"temperature":-0.1})"},
      {"temperature is text", R"({"temperature":"0"})"},
      {"timeout 0", R"({"timeout_ms":0})"},
      {"timeout is text", R"({"timeout_ms":"60000"})"},
      {"metadata is a list", R"({"metadata":[1]})"},
      {"model not allowed", R"({"model_override":"claude-opus-4-7"})"},
      {"unknown prompt_ref", R"({"prompt":null,"prompt_ref":"nowhere"})"},
  };
  int number = 0;
  for (const auto& [what, fields] : answered)
    house.SendRequest("bad-" + std::to_string(number++), "Hello", fields);
  for (int i = 0; i < number; ++i) {
    const std::string reply = house.AwaitReply("bad-" + std::to_string(i));
    INFO(answered[static_cast<std::size_t>(i)].first << ": " << reply);
    REQUIRE(Field(reply, "status") == "error");
    REQUIRE(Field(reply, "error_code") == "INVALID_REQUEST");
    REQUIRE(!Field(reply, "error_message").empty());
    REQUIRE(Field(reply, "version") == "1.0");
  }

  // Without a request_id there is still a queue to answer on.
  house.SendRequest("", "Hello");
  house.SendRequest(std::string(37, 'x'), "Hello");
  REQUIRE(Eventually([&] {
    return house.Number(house.work(),
                        "SELECT COUNT(*) FROM REPLY_MESSAGE WHERE LIBRARY = 'T' AND MESSAGE LIKE "
                        "'%INVALID_REQUEST%'") == number + 2;
  }));

  const std::vector<std::string> dead = {"",
                                         "not JSON",
                                         "[]",
                                         "{}",
                                         "null",
                                         "\xff\xfe\xff",
                                         std::string(3, '\0'),
                                         RequestMessage("d-1", "Hello", R"({"reply_queue":null})"),
                                         RequestMessage("d-2", "Hello", R"({"reply_queue":"T/R"})"),
                                         RequestMessage("d-3", "Hello", R"({"reply_queue":{"library":"T"}})"),
                                         R"({"version":"1.0","request_id":"d-4","customer":"ACME")"};
  for (const std::string& message : dead) house.Send(message);
  REQUIRE(Eventually([&] {
    return house.Number(house.work(), "SELECT COUNT(*) FROM DEAD_LETTER") ==
           static_cast<std::int64_t>(dead.size());
  }));
  REQUIRE(house.Number(house.work(), "SELECT COUNT(*) FROM DEAD_LETTER WHERE REASON = ''") == 0);

  REQUIRE(house.sim().CallsInAll() == 0);
  REQUIRE(Field(house.Ask("good", "Hello"), "status") == "success");
  REQUIRE(house.worker().running());
  REQUIRE(house.QueueEmpty());
}

TEST_CASE("contract: messages at and over the limit") {
  House house;
  house.Ready();
  const std::size_t frame = RequestMessage("size", "").size();
  const std::string fits = RequestMessage("size", std::string(64'512 - frame, 'a'));
  REQUIRE(fits.size() == 64'512);
  house.Send(fits);
  REQUIRE(Field(house.AwaitReply("size"), "status") == "success");
  house.SendRequest("over", std::string(64'513 - frame, 'a'));
  REQUIRE(Field(house.AwaitReply("over"), "error_code") == "INVALID_REQUEST");
  house.SendRequest("far-over", std::string(5'000'000, 'a'));
  REQUIRE(Eventually([&] { return house.QueueEmpty(); }));
  REQUIRE(house.worker().running());
  REQUIRE(house.sim().CallsInAll() == 1);
}

TEST_CASE("contract: a higher minor version is served, and what it does not know is ignored") {
  House house;
  house.Ready();
  const std::string reply =
      house.Ask("r-1", "Hello", R"({"version":"1.7","colour":"blue","more":{"a":[1,2]}})");
  INFO(reply);
  REQUIRE(Field(reply, "status") == "success");
  REQUIRE(Field(reply, "version") == "1.0");
}

TEST_CASE("contract: request_ids of any printable text are served, and none reaches a header as another") {
  House house;
  house.Ready();
  std::string umlauts;
  for (int i = 0; i < 36; ++i) umlauts += "\xc3\xbc";
  for (const std::string& id :
       {umlauts, std::string("a b: c\"\\'%s{}"), std::string("'; DELETE FROM QUEUE_MESSAGE; --")}) {
    const std::string reply = house.Ask(id, "Hello");
    INFO(reply);
    REQUIRE(Field(reply, "status") == "success");
    REQUIRE(Field(reply, "request_id") == id);
  }
  house.SendRequest("x\r\nX-Evil: 1", "Hello");
  house.SendRequest(umlauts + "x", "Hello");
  REQUIRE(Eventually([&] {
    return house.Number(house.work(),
                        "SELECT COUNT(*) FROM REPLY_MESSAGE WHERE MESSAGE LIKE '%INVALID_REQUEST%'") == 2;
  }));
}

TEST_CASE("contract: the README's statements send a request and take its reply") {
  House house;
  house.Ready();
  REQUIRE(house.work().Execute(
      "INSERT INTO QUEUE_MESSAGE (LIBRARY, NAME, MESSAGE) VALUES ('K3SAI', 'AIOUTQ', '{\"version\":\"1.0\","
      "\"request_id\":\"r-1\",\"customer\":\"ACME\",\"profile_ref\":\"ACME_DEFAULT\",\"reply_queue\":{"
      "\"library\":"
      "\"ACME\",\"name\":\"REPLIES\"},\"prompt\":\"Hello\"}')"));
  std::string message;
  REQUIRE(Eventually([&] {
    const auto row = house.work().QueryOne(
        "UPDATE REPLY_MESSAGE SET TAKEN_AT = CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER) "
        "WHERE LIBRARY = 'ACME' AND NAME = 'REPLIES' AND TAKEN_AT IS NULL RETURNING MESSAGE");
    REQUIRE(row);
    if (*row == nullptr) return false;
    message = (*row)->Text(0);
    (*row)->Reset();
    return true;
  }));
  REQUIRE(Field(message, "request_id") == "r-1");
  REQUIRE(Field(message, "status") == "success");
}

TEST_CASE("contract: profiles that are unknown, foreign or suspended are PROFILE_NOT_FOUND") {
  House house;
  house.Ready();
  house.Onboard("BARCO", "openai", "gpt-5-mini");
  REQUIRE(Field(house.Ask("r-1", "Hello", R"({"profile_ref":"NOSUCH"})"), "error_code") ==
          "PROFILE_NOT_FOUND");
  REQUIRE(Field(house.Ask("r-2", "Hello", R"({"profile_ref":"BARCO_DEFAULT"})"), "error_code") ==
          "PROFILE_NOT_FOUND");
  REQUIRE(Field(house.Ask("r-3", "Hello", R"({"customer":"NOBODY"})"), "error_code") == "PROFILE_NOT_FOUND");
  REQUIRE(house.Act({"profile", "suspend", "ACME_DEFAULT"}).code == 0);
  REQUIRE(Field(house.Ask("r-4", "Hello"), "error_code") == "PROFILE_NOT_FOUND");
  REQUIRE(house.Act({"profile", "resume", "ACME_DEFAULT"}).code == 0);
  REQUIRE(Field(house.Ask("r-5", "Hello"), "status") == "success");
  REQUIRE(house.Act({"profile", "terminate", "ACME_DEFAULT"}).code == 0);
  REQUIRE(Field(house.Ask("r-6", "Hello"), "error_code") == "PROFILE_NOT_FOUND");
  REQUIRE(house.sim().CallsInAll() == 1);
}

TEST_CASE("contract: the same request sent twice is one call and one stored reply") {
  House house;
  house.Ready();
  const std::string first = house.Ask("r-1", "Hello [[latency:300]]");
  REQUIRE(Field(first, "status") == "success");
  const std::string again = house.Ask("r-1", "Hello [[latency:300]]");
  REQUIRE(again == first);
  // Two at once: one call, and at least one reply.
  house.SendRequest("r-2", "Hello [[latency:300]]");
  house.SendRequest("r-2", "Hello [[latency:300]]");
  REQUIRE(Field(house.AwaitReply("r-2"), "status") == "success");
  REQUIRE(Eventually([&] { return house.QueueEmpty(); }));
  REQUIRE(house.sim().CallsOf("r-1") == 1);
  REQUIRE(house.sim().CallsOf("r-2") == 1);
  REQUIRE(house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG") == 2);

  // The same id with other content is another request under a name that is taken.
  const std::string reused = house.Ask("r-1", "Something else");
  INFO(reused);
  REQUIRE(Field(reused, "error_code") == "INVALID_REQUEST");
  REQUIRE(house.sim().CallsOf("r-1") == 1);
  // A stored reply goes only to the first request's queue.
  house.SendRequest("r-1", "Hello [[latency:300]]", R"({"reply_queue":{"library":"T","name":"OTHER"}})");
  REQUIRE(Field(house.AwaitReply("r-1"), "error_code") == "INVALID_REQUEST");
  REQUIRE(house.Number(house.work(),
                       "SELECT COUNT(*) FROM REPLY_MESSAGE WHERE NAME = 'OTHER' AND MESSAGE LIKE "
                       "'%success%'") == 0);
}

TEST_CASE("contract: a refused request sent twice is answered twice") {
  House house;
  house.Ready();
  const std::string first = house.Ask("r-1", "Hello", R"({"profile_ref":"NOSUCH"})");
  REQUIRE(Field(first, "error_code") == "PROFILE_NOT_FOUND");
  REQUIRE(house.Ask("r-1", "Hello", R"({"profile_ref":"NOSUCH"})") == first);
  // An id that is taken, by a message that would be refused anyway: it must not vanish without an answer.
  REQUIRE(Field(house.Ask("r-1", "Hello", R"({"profile_ref":"NOTHERE"})"), "error_code") ==
          "INVALID_REQUEST");
  REQUIRE(house.QueueEmpty());
}

TEST_CASE("contract: metadata comes back as it was sent") {
  House house;
  house.Ready();
  const std::string raw =
      R"({"order":[1.0,2.50,1e3,12345678901234567890],"é":"\u00fc \"q\"","empty":{},"null":null})";
  std::string message = RequestMessage("r-1", "Hello");
  message.insert(message.size() - 1, ",\"metadata\":" + raw);
  house.Send(message);
  const std::string reply = house.AwaitReply("r-1");
  INFO(reply);
  REQUIRE(Has(reply, raw));
  std::string refused = RequestMessage("r-2", "Hello", R"({"profile_ref":"NOSUCH"})");
  refused.insert(refused.size() - 1, ",\"metadata\":" + raw);
  house.Send(refused);
  REQUIRE(Has(house.AwaitReply("r-2"), raw));
}

TEST_CASE("contract: stored prompts are read for their own customer only") {
  House house;
  house.Ready();
  for (const char* customer : {"ACME", "BARCO"}) {
    const std::string name = std::string("prompt/") + customer;
    REQUIRE(house.work().Execute(
        "INSERT INTO AI_PROMPTS (PROMPT_REF, CUSTOMER, CONTENT, CREATED_AT) VALUES (?1, ?2, "
        "'Stored text', 0)",
        {name, std::string_view(customer)}));
  }
  const std::string mine = house.Ask("r-1", "", R"({"prompt":null,"prompt_ref":"prompt/ACME"})");
  INFO(mine);
  REQUIRE(Field(mine, "status") == "success");
  REQUIRE(Field(mine, "response") == Field(house.Ask("r-2", "Stored text"), "response"));
  REQUIRE(Field(house.Ask("r-3", "", R"({"prompt":null,"prompt_ref":"prompt/BARCO"})"), "error_code") ==
          "INVALID_REQUEST");
}

TEST_CASE("contract: a temperature the model refuses is dropped, told, and the call made again") {
  House house;
  house.Init();
  house.StartSim();
  house.StartVaultd();
  house.Onboard("BARCO", "openai", "gpt-5-mini");
  house.StartWorker();
  const std::string barco = R"("customer":"BARCO","profile_ref":"BARCO_DEFAULT")";
  // The server knows max_completion_tokens alone, of which the worker learns in the same way.
  const std::string plain = house.Ask("r-0", "Hello", "{" + barco + "}");
  REQUIRE(Field(plain, "status") == "success");
  REQUIRE(Field(plain, "dropped").empty());
  REQUIRE(house.sim().CallsOf("r-0") == 2);
  const std::string reply = house.Ask("r-1", "Hello", "{" + barco + R"(,"temperature":0.0})");
  INFO(reply);
  REQUIRE(Field(reply, "status") == "success");
  REQUIRE(Field(reply, "dropped") == R"(["temperature"])");
  REQUIRE(house.sim().CallsOf("r-1") == 2);
  // The model is remembered: the next call is right the first time.
  const std::string second = house.Ask("r-2", "Hello", "{" + barco + R"(,"temperature":0.0})");
  REQUIRE(Field(second, "status") == "success");
  REQUIRE(house.sim().CallsOf("r-2") == 1);
  REQUIRE(Field(second, "dropped") == R"(["temperature"])");
}

}  // namespace strongroom::e2e
