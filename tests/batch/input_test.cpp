#include "worker/batch/input.h"

#include "tests/worker/work_house.h"

#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace strongroom::worker {
namespace {

using Json = nlohmann::ordered_json;

std::expected<Input, std::string> Open(const WorkHouse& house, const std::string& content) {
  std::ofstream(house.Path("rows.jsonl"), std::ios::binary) << content;
  return Input::Open(house.Path("rows.jsonl"));
}

std::string Problem(const WorkHouse& house, const std::string& content) {
  const auto input = Open(house, content);
  return input ? "" : input.error().substr(house.Path("rows.jsonl").size());
}

const std::string kSuccess =
    R"({"version":"1.0","request_id":"B-1","status":"success","response":"hi","model_used":"m","tokens_in":null,)"
    R"("tokens_out":2,"latency_ms":3,"finish_reason":"end_turn"})";

}  // namespace

TEST_CASE("input: a row's fields are read, others are left alone") {
  const auto row = ParseInputRow(R"({"id":{"a":[1]},"prompt":"p","system_prompt":"s","max_tokens":1000000,"more":1})");
  REQUIRE(row);
  CHECK(row->prompt == "p");
  CHECK(row->system_prompt == "s");
  CHECK(row->max_tokens == 1'000'000);
  const auto least = ParseInputRow(R"({"prompt":"p","system_prompt":null,"max_tokens":null})");
  REQUIRE(least);
  CHECK_FALSE(least->system_prompt);
  CHECK_FALSE(least->max_tokens);
}

TEST_CASE("input: what is no row is refused, with the reason") {
  for (const char* line : {"", "{", "[]", "null", "\"prompt\"", "{\"prompt\":\"p\"} x", "{\"prompt\":\"\xff\"}",
                           R"({"prompt":"\ud800"})", "{'prompt':'p'}", R"({"prompt":"p",})"}) {
    const auto row = ParseInputRow(line);
    REQUIRE_FALSE(row);
    CHECK(row.error() == "not a JSON object, or nested deeper than 64");
  }
  for (const char* line : {"{}", R"({"prompt":1})", R"({"prompt":null})", R"({"Prompt":"p"})"}) {
    CHECK(ParseInputRow(line).error() == "\"prompt\" must be a string");
  }
  CHECK(ParseInputRow(R"({"prompt":""})").error() == "\"prompt\" is empty");
  CHECK(ParseInputRow(R"({"prompt":"p","system_prompt":["s"]})").error() == "\"system_prompt\" must be a string");
  for (const char* most : {"0", "-1", "1000001", "1.0", "\"5\"", "true", "18446744073709551615", "1e3"}) {
    CHECK(ParseInputRow(std::string(R"({"prompt":"p","max_tokens":)") + most + "}").error() ==
          "\"max_tokens\" must be a whole number from 1 to 1000000");
  }
}

TEST_CASE("input: rows that could end the program are refused") {
  const std::string deep(1'000'000, '[');
  CHECK_FALSE(ParseInputRow(R"({"prompt":"p","id":)" + deep + std::string(1'000'000, ']') + "}"));
  CHECK_FALSE(ParseInputRow(R"({"prompt":"p","id":)" + deep));
  CHECK(ParseInputRow(R"({"prompt":"p","id":)" + std::string(60, '[') + std::string(60, ']') + "}"));
  CHECK(ParseInputRow(R"({"prompt":")" + std::string(8U << 20, 'p') + "\"}").error() == "the line is over 8 MiB");
  CHECK(ParseInputRow(R"({"prompt":")" + std::string(5'000'000, 'p') + "\"}"));
}

TEST_CASE("input: a system prompt that no message could carry is refused, by its size as JSON") {
  const auto with = [](const std::string& system) {
    return ParseInputRow(R"({"prompt":"p","system_prompt":")" + system + "\"}");
  };
  CHECK(with(std::string(59'998, 's')));
  CHECK(with(std::string(59'999, 's')).error() == "\"system_prompt\" has more than 60000 bytes");
  std::string escapes;
  for (int i = 0; i < 10'000; ++i) escapes += "\\u0001";
  CHECK_FALSE(with(escapes));
}

TEST_CASE("input: problems name file and line, and blank lines count as lines") {
  const WorkHouse house;
  CHECK(Problem(house, "{\"prompt\":\"p\"}\n\n \t\r\n{\"prompt\":1}\n") == ":4: \"prompt\" must be a string");
  CHECK(Problem(house, "nonsense") == ":1: not a JSON object, or nested deeper than 64");
  CHECK(Problem(house, "") == ": no rows");
  CHECK(Problem(house, "\n\n  \r\n") == ": no rows");
  CHECK(Input::Open(house.Path("absent")).error() == house.Path("absent") + ": No such file or directory");
  CHECK(Input::Open(house.Path("")).error() == house.Path("") + ": is no regular file");
}

TEST_CASE("input: what may have no end is not read to it") {
  const WorkHouse house;
  CHECK(Input::Open("/dev/zero").error() == "/dev/zero: is no regular file");
  REQUIRE(mkfifo(house.Path("pipe").c_str(), 0600) == 0);
  CHECK(Input::Open(house.Path("pipe")).error() == house.Path("pipe") + ": is no regular file");
  const std::string row = "{\"prompt\":\"p\"}\n";
  CHECK(Problem(house, row + std::string(9U << 20, 'x')) == ":2: the line is over 8 MiB");
  const std::string prompt = "{\"prompt\":\"", end = "\"}";
  const std::string longest = prompt + std::string((8U << 20) - prompt.size() - end.size(), 'p') + end;
  for (const char* ended : {"", "\n", "\n\n"}) {
    auto whole = Open(house, row + longest + ended);
    REQUIRE(whole);
    REQUIRE(whole->rows() == 2);
    CHECK(whole->Row(1)->text == longest);
    CHECK(whole->Row(0)->prompt == "p");
  }
}

TEST_CASE("input: rows are found again, whatever ends their lines") {
  const WorkHouse house;
  const std::string one = R"({"prompt":"one"})", two = "{\"prompt\":\"z\u00f6e \U0001f511\"}", three = R"({"prompt":"\u20ac\n"})";
  auto unix_ended = Open(house, one + "\n" + two + "\n\n" + three + "\n");
  REQUIRE(unix_ended);
  const std::string digest = unix_ended->sha256();
  CHECK(digest.size() == 64);
  for (const std::string& content : {one + "\n" + two + "\n" + three, "\n\n" + one + "\n \n" + two + "\n" + three + "\n\n"}) {
    const auto same = Open(house, content);
    REQUIRE(same);
    CHECK(same->rows() == 3);
    CHECK(same->sha256() == digest);
  }
  for (const std::string& content : {two + "\n" + one + "\n" + three, one + "\n" + two}) {
    const auto other = Open(house, content);
    REQUIRE(other);
    CHECK(other->sha256() != digest);
  }
  auto windows = Open(house, one + "\r\n" + two + "\r\n\r\n" + three + "\r\n");
  REQUIRE(windows);
  REQUIRE(windows->rows() == 3);
  CHECK(windows->Row(2)->prompt == "\u20ac\n");
  CHECK(windows->Row(0)->prompt == "one");
  CHECK(windows->Row(1)->prompt == "z\u00f6e \U0001f511");
  CHECK(Json::parse(OutputLine(windows->Row(1)->text, kSuccess, {})).at("prompt") == "z\u00f6e \U0001f511");
}

TEST_CASE("input: a file that shrank while the batch ran is told, not guessed") {
  const WorkHouse house;
  auto input = Open(house, "{\"prompt\":\"one\"}\n{\"prompt\":\"two\"}\n");
  REQUIRE(input);
  std::filesystem::resize_file(house.Path("rows.jsonl"), 5);
  CHECK(input->Row(1).error() == house.Path("rows.jsonl") + " changed while the batch ran");
  CHECK_FALSE(input->Row(0));
}

TEST_CASE("output: the reply's fields follow the input's, in order") {
  CHECK(OutputLine(R"({"id":7,"prompt":"p","max_tokens":5})", kSuccess, {}) ==
        R"({"id":7,"prompt":"p","max_tokens":5,"version":"1.0","request_id":"B-1","status":"success","response":"hi",)"
        R"("model_used":"m","tokens_in":null,"tokens_out":2,"latency_ms":3,"finish_reason":"end_turn"})");
}

TEST_CASE("output: an id of any size or form comes back as it was written") {
  for (const char* id : {"18446744073709551617", "123456789012345678901234567890", "-0", "1.10", "1e400", "0.1000000000000000055",
                         R"("caf\u00e9")", R"([1, {"a": 2e0}])", "null"}) {
    const std::string row = std::string(R"({"id":)") + id + R"(,"prompt":"p"})";
    INFO(row);
    REQUIRE(ParseInputRow(row));
    CHECK(OutputLine(row, kSuccess, {}).starts_with(std::string(R"({"id":)") + id + R"(,"prompt":"p",)"));
  }
}

TEST_CASE("input: a byte order mark before the first row is no part of it") {
  const std::string row = "\xef\xbb\xbf{\"id\":1,\"prompt\":\"p\"}";
  REQUIRE(ParseInputRow(row));
  CHECK(OutputLine(row, kSuccess, {}).starts_with(R"({"id":1,)"));
}

TEST_CASE("input: of a name that comes twice the later value stands") {
  CHECK(ParseInputRow(R"({"prompt":"a","prompt":"b"})")->prompt == "b");
  CHECK(OutputLine(R"({"id":1,"prompt":"p","id":2})", "{}", {}) == R"({"id":2,"prompt":"p"})");
}

TEST_CASE("output: a stored response takes its reference's place") {
  const std::string reply = R"({"request_id":"B-1","status":"success","response_ref":"response/ACME/B-1"})";
  const Json line = Json::parse(OutputLine(R"({"id":1,"prompt":"p"})", reply, "long\n\"text\""));
  CHECK(line.at("response") == "long\n\"text\"");
  CHECK_FALSE(line.contains("response_ref"));
}

TEST_CASE("output: a row taken from an earlier output keeps nothing of its earlier reply") {
  const std::string before = OutputLine(R"({"id":1,"prompt":"p"})",
                                        R"({"version":"1.0","request_id":"A-1","status":"error","error_code":"TIMEOUT",)"
                                        R"("error_message":"late","attempts":1,"retry_after_ms":5})", {});
  const Json line = Json::parse(OutputLine(before, kSuccess, {}));
  for (const char* name : {"error_code", "error_message", "attempts", "retry_after_ms"}) CHECK_FALSE(line.contains(name));
  CHECK(line.at("request_id") == "B-1");
  CHECK(line.at("status") == "success");
}

TEST_CASE("output: a line stays one line, and rubbish becomes an object") {
  const std::string odd = OutputLine("{\"id\":\"a\\nb\u2028\",\"prompt\":\"p\"}", kSuccess, "one\ntwo\r");
  CHECK(odd.find('\n') == std::string::npos);
  CHECK(odd.find('\r') == std::string::npos);
  CHECK(OutputLine("[1]", "not json", {}) == "{}");
  CHECK(Json::parse(OutputLine(R"({"id":1})", "[]", "x")).at("response") == "x");
  CHECK(Json::parse(OutputLine(R"({"id":1})", "{}", "bad \xff utf8")).at("response") == "bad \ufffd utf8");
}

}  // namespace strongroom::worker
