// batch: interrupted, resumed, misused, and without anybody to do the work.
#include "tests/e2e/house.h"

#include <signal.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace strongroom::e2e {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

std::vector<std::string> Submit(House& house, const std::string& file, std::vector<std::string> more = {}) {
  std::vector<std::string> all = {"submit",    file,           "--customer", "ACME",
                                  "--profile", "ACME_DEFAULT", "--out",      house.Path("out.jsonl")};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::string LastBatch(House& house) {
  const Json batches = Json::parse(house.Batch({"status", "--json"}).out);
  REQUIRE(!batches.empty());
  return batches[0]["batch_id"];
}

std::int64_t Usage(House& house) {
  return house.Number(house.work(), "SELECT COUNT(*) FROM USAGE_LOG");
}

}  // namespace

TEST_CASE("batch: Ctrl-C stops it, resume finishes it, and nothing is called twice") {
  House house;
  house.Ready({{"--latency-ms", "100"}});
  const std::string input = house.Prompts("rows.jsonl", 60);
  Process batch = house.Spawn("batch", Submit(house, input, {"--in-flight", "4"}));
  REQUIRE(Eventually([&] { return Usage(house) >= 10; }));
  batch.Signal(SIGINT);
  const Ended stopped = batch.Wait();
  INFO(stopped.out << stopped.err);
  REQUIRE(stopped.code == 1);
  const std::string id = LastBatch(house);
  REQUIRE(Has(stopped.err, "batch resume " + id));
  REQUIRE(!std::filesystem::exists(house.Path("out.jsonl")));
  REQUIRE(Json::parse(house.Batch({"status", id, "--json"}).out)[0]["status"] != "complete");
  // What nobody had claimed is withdrawn; what was in flight ends.
  REQUIRE(Eventually([&] { return house.QueueEmpty(); }));
  REQUIRE(Usage(house) < 60);

  const Ended resumed = house.Batch({"resume", id});
  INFO(resumed.out << resumed.err);
  REQUIRE(resumed.code == 0);
  const auto lines = Lines(ReadWhole(house.Path("out.jsonl")));
  REQUIRE(lines.size() == 60);
  for (std::size_t i = 0; i < lines.size(); ++i) REQUIRE(Json::parse(lines[i])["id"] == i + 1);
  for (const auto& [request, times] : house.sim().Calls()) REQUIRE(times == 1);
  REQUIRE(house.sim().CallsInAll() == 60);
}

TEST_CASE("batch: a resume needs the file it began with, and a batch that is known") {
  House house;
  house.Ready();
  const std::string input = house.Prompts("rows.jsonl", 3);
  REQUIRE(house.Batch(Submit(house, input)).code == 0);
  const std::string id = LastBatch(house);
  WriteWhole(input, ReadWhole(input) + "{\"prompt\":\"one more\"}\n");
  const Ended changed = house.Batch({"resume", id});
  REQUIRE(changed.code == 1);
  REQUIRE(Has(changed.err, "not the file"));
  std::filesystem::remove(input);
  REQUIRE(house.Batch({"resume", id}).code == 1);
  REQUIRE(house.Batch({"resume", "B260101000000XXXX"}).code == 1);
  REQUIRE(house.sim().CallsInAll() == 3);
}

TEST_CASE("batch: submitted twice from one file, either can be resumed, into the same output") {
  House house;
  house.Ready();
  const std::string input = house.Prompts("rows.jsonl", 3), output = house.Path("rows.out.jsonl");
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i) {
    const Ended ended = house.Batch({"submit", input, "--customer", "ACME", "--profile", "ACME_DEFAULT", "--json"});
    INFO(ended.out << ended.err);
    REQUIRE(ended.code == 0);
    ids.push_back(Json::parse(ended.out)["batch_id"]);
    REQUIRE(Has(ReadWhole(output), ids.back() + "-3"));
  }
  for (const std::string& id : ids) {
    const Ended resumed = house.Batch({"resume", id});
    INFO(resumed.out << resumed.err);
    REQUIRE(resumed.code == 0);
    const auto lines = Lines(ReadWhole(output));
    REQUIRE(lines.size() == 3);
    for (std::size_t i = 0; i < lines.size(); ++i) REQUIRE(Field(lines[i], "request_id") == id + "-" + std::to_string(i + 1));
  }
  REQUIRE(house.sim().CallsInAll() == 6);
}

TEST_CASE("batch: a resume writes over nothing but replies, and leaves nothing beside it") {
  House house;
  house.Ready();
  const std::string output = house.Path("out.jsonl"), replies = house.Path("replies");
  REQUIRE(house.Batch(Submit(house, house.Prompts("rows.jsonl", 2))).code == 0);
  const std::string id = LastBatch(house);
  const auto refused = [&] {
    const Ended ended = house.Batch({"resume", id});
    INFO(ended.out << ended.err);
    CHECK(ended.code == 1);
    CHECK(Has(ended.err, "this is no file of replies of a batch: move it away"));
    CHECK_FALSE(fs::exists(output + ".part"));
  };
  fs::rename(output, replies);
  WriteWhole(output, ReadWhole(replies) + "and a line of somebody's\n");
  refused();
  CHECK(Has(ReadWhole(output), "somebody's"));
  fs::remove(output);
  fs::create_symlink(replies, output);
  refused();
  CHECK(fs::is_symlink(output));
  fs::remove(output);
  REQUIRE(mkfifo(output.c_str(), 0600) == 0);
  refused();
  CHECK(fs::is_fifo(output));
  fs::remove(output);
  REQUIRE(house.Batch({"resume", id}).code == 0);
  CHECK(ReadWhole(output) == ReadWhole(replies));
}

TEST_CASE("batch: without a worker every row becomes TIMEOUT") {
  House house;
  house.Init();
  const std::string input = house.Prompts("rows.jsonl", 3);
  const Ended ended = house.Batch(Submit(house, input, {"--timeout-ms", "300"}));
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 1);
  const auto lines = Lines(ReadWhole(house.Path("out.jsonl")));
  REQUIRE(lines.size() == 3);
  for (const std::string& line : lines) REQUIRE(Field(line, "error_code") == "TIMEOUT");
  REQUIRE(house.QueueEmpty());
  REQUIRE(Field(house.Batch({"status", LastBatch(house), "--json"}).out.substr(1), "x").empty());
}

TEST_CASE("batch: a vaultd that never comes back makes rows TIMEOUT as well") {
  House house;
  house.Ready();
  house.vaultd().Stop();
  const Ended ended = house.Batch(Submit(house, house.Prompts("rows.jsonl", 3), {"--timeout-ms", "700"}));
  REQUIRE(ended.code == 1);
  for (const std::string& line : Lines(ReadWhole(house.Path("out.jsonl")))) {
    INFO(line);
    REQUIRE(Field(line, "error_code") == "TIMEOUT");
  }
  REQUIRE(house.sim().CallsInAll() == 0);
}

TEST_CASE("batch: a bad line is refused by its number before anything is sent") {
  House house;
  house.Init();
  for (const char* bad :
       {"not JSON", "[]", "{}", R"({"prompt":""})", R"({"prompt":5})", R"({"prompt":"a","max_tokens":0})",
        R"({"prompt":"a","system_prompt":1})", "{\"prompt\":\"\xff\"}"}) {
    WriteWhole(house.Path("bad.jsonl"), "{\"prompt\":\"first\"}\n\n" + std::string(bad) + "\n");
    const Ended refused = house.Batch(Submit(house, house.Path("bad.jsonl")));
    INFO(bad << ": " << refused.err);
    REQUIRE(refused.code == 1);
    REQUIRE(Has(refused.err, "bad.jsonl:3: "));
    REQUIRE(Lines(refused.err).size() == 1);
  }
  WriteWhole(house.Path("bad.jsonl"), "");
  REQUIRE(house.Batch(Submit(house, house.Path("bad.jsonl"))).code == 1);
  REQUIRE(house.Batch(Submit(house, house.Path("nowhere.jsonl"))).code == 1);
  REQUIRE(house.QueueEmpty());
  REQUIRE(house.Number(house.work(), "SELECT COUNT(*) FROM AI_BATCH") == 0);
}

TEST_CASE("batch: an output that cannot be written is refused before anything is sent") {
  House house;
  house.Init();
  const std::string input = house.Prompts("rows.jsonl", 2);
  const Ended refused = house.Batch({"submit", input, "--customer", "ACME", "--profile", "ACME_DEFAULT",
                                     "--out", house.Path("no-such-directory/out.jsonl")});
  INFO(refused.err);
  REQUIRE(refused.code == 1);
  REQUIRE(Lines(refused.err).size() == 1);
  REQUIRE(house.Batch({"submit", input, "--customer", "ACME", "--profile", "ACME_DEFAULT", "--out", input})
              .code == 1);
  REQUIRE(Lines(ReadWhole(input)).size() == 2);
  // The output takes the place of what has its name: of nothing but a file.
  REQUIRE(mkfifo(house.Path("pipe").c_str(), 0600) == 0);
  REQUIRE(mknod(house.Path("device").c_str(), S_IFSOCK | 0600, 0) == 0);
  fs::create_symlink(input, house.Path("link"));
  fs::create_directory(house.Path("directory"));
  REQUIRE(mkfifo(house.Path("beside.part").c_str(), 0600) == 0);
  for (const char* name : {"pipe", "device", "link", "directory", "beside"}) {
    const Ended kept = house.Batch({"submit", input, "--customer", "ACME", "--profile", "ACME_DEFAULT", "--out", house.Path(name)});
    INFO(name << ": " << kept.err);
    REQUIRE(kept.code == 1);
    REQUIRE(Has(kept.err, "is no regular file"));
  }
  REQUIRE(fs::is_fifo(house.Path("pipe")));
  REQUIRE(fs::is_socket(house.Path("device")));
  REQUIRE(fs::is_symlink(house.Path("link")));
  REQUIRE(house.QueueEmpty());
  REQUIRE(house.Number(house.work(), "SELECT COUNT(*) FROM AI_BATCH") == 0);
}

TEST_CASE("batch: a status that standard output has not taken is no success") {
  House house;
  house.Init();
  for (const char* words : {"", " --json"}) {
    const Ended lost = Run({"/bin/sh", {"-c", std::string(STRONGROOM_BIN) + "/batch status --home " + house.home() + words + " >&-"}}, house.Path("run/closed"));
    INFO(lost.err);
    REQUIRE(lost.code == 1);
    REQUIRE(Has(lost.err, "standard output cannot be written"));
  }
}

TEST_CASE("batch: the output is in input order, ids of any kind come back, failed rows make it 1") {
  House house;
  house.Ready();
  WriteWhole(house.Path("mixed.jsonl"),
             "{\"id\":\"late\",\"prompt\":\"slow [[latency:600]]\"}\n"
             "{\"id\":{\"a\":[1,null]},\"prompt\":\"refused [[fault:401]]\"}\n"
             "{\"prompt\":\"no id\",\"max_tokens\":3,\"system_prompt\":\"Be brief.\"}\n"
             "{\"id\":4.50,\"prompt\":\"" +
                 std::string(100'000, 'p') + "\"}\n");
  const Ended ended = house.Batch(Submit(house, house.Path("mixed.jsonl"), {"--json"}));
  INFO(ended.out << ended.err);
  REQUIRE(ended.code == 1);
  REQUIRE(Json::parse(ended.out)["failed_units"] == 1);
  const auto lines = Lines(ReadWhole(house.Path("out.jsonl")));
  REQUIRE(lines.size() == 4);
  REQUIRE(Field(lines[0], "id") == "late");
  REQUIRE(Field(lines[0], "status") == "success");
  REQUIRE(Field(lines[1], "id") == R"({"a":[1,null]})");
  REQUIRE(Field(lines[1], "error_code") == "PROVIDER_AUTH");
  REQUIRE(Field(lines[2], "finish_reason") == "max_tokens");
  REQUIRE(Field(lines[2], "tokens_out") == "3");
  REQUIRE(Field(lines[3], "status") == "success");  // its prompt outgrew a message
  REQUIRE(house.Number(house.work(), "SELECT COUNT(*) FROM AI_PROMPTS WHERE CUSTOMER = 'ACME'") >= 1);
  REQUIRE(house.Number(house.work(), "SELECT FAILED_UNITS FROM AI_BATCH") == 1);
  // A resumed batch keeps the replies it has, failures included.
  const Ended again = house.Batch({"resume", LastBatch(house)});
  REQUIRE(again.code == 1);
  REQUIRE(Has(again.out, "3 succeeded, 1 failed"));
  REQUIRE(house.sim().CallsInAll() == 4);
}

TEST_CASE("batch: two runs of one batch do not write the same output") {
  House house;
  house.Ready({{"--latency-ms", "200"}});
  Process batch = house.Spawn("batch", Submit(house, house.Prompts("rows.jsonl", 20), {"--in-flight", "2"}));
  REQUIRE(Eventually([&] { return Usage(house) >= 1; }));
  const Ended second = house.Batch({"resume", LastBatch(house)});
  REQUIRE(second.code == 1);
  REQUIRE(Has(second.err, "another batch"));
  REQUIRE(batch.Wait().code == 0);
  REQUIRE(house.sim().CallsInAll() == 20);
}

}  // namespace strongroom::e2e
