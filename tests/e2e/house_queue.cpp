// The house's work database, its queues, and what provider-sim saw.
#include "tests/e2e/house.h"

#include <curl/curl.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace strongroom::e2e {
using Json = nlohmann::ordered_json;

namespace {

std::size_t Collect(char* data, std::size_t size, std::size_t count, void* text) {
  static_cast<std::string*>(text)->append(data, size * count);
  return size * count;
}

std::string Get(const std::string& url, const std::string& ca_file) {
  std::string text;
  CURL* const curl = curl_easy_init();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, static_cast<long>(kPatience));
  if (!ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file.c_str());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Collect);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
  const CURLcode code = curl_easy_perform(curl);
  curl_easy_cleanup(curl);
  return code == CURLE_OK ? text : std::string();
}

}  // namespace

std::map<std::string, std::int64_t> Sim::Calls() const {
  const Json seen = Json::parse(Get(endpoint_ + "/sim/calls", ca_file_), nullptr, false);
  std::map<std::string, std::int64_t> calls;
  if (!seen.is_object()) return calls;
  for (const auto& [id, times] : seen.items()) calls[id] = times.get<std::int64_t>();
  return calls;
}

std::int64_t Sim::CallsOf(const std::string& request_id) const {
  const auto calls = Calls();
  const auto found = calls.find(request_id);
  return found == calls.end() ? 0 : found->second;
}

std::int64_t Sim::CallsInAll() const {
  std::int64_t sum = 0;
  for (const auto& [id, times] : Calls()) sum += times;
  return sum;
}

std::int64_t Sim::Answers() const {
  const Json stats = Json::parse(Get(endpoint_ + "/sim/stats", ca_file_), nullptr, false);
  REQUIRE(stats.is_object());
  std::int64_t sum = 0;
  for (const auto& [status, times] : stats["by_status"].items()) sum += times.get<std::int64_t>();
  return sum;
}

sql::Database& House::work() {
  if (!work_) {
    auto opened = sql::Open("sqlite:" + home_ + "/strongroom.db", {});
    REQUIRE(opened);
    work_ = std::move(*opened);
  }
  return *work_;
}

std::unique_ptr<sql::Database> House::Vault() {
  auto opened = sql::Open("sqlite:" + home_ + "/vault.db", {});
  REQUIRE(opened);
  return std::move(*opened);
}

std::int64_t House::Number(sql::Database& database, sql::Sql text,
                           std::initializer_list<sql::Parameter> parameters) {
  const auto row = database.QueryOne(text, parameters);
  INFO(text.view());
  REQUIRE(row);
  REQUIRE(*row != nullptr);
  const std::int64_t number = (*row)->Int64(0);
  (*row)->Reset();
  return number;
}

std::string House::Text(sql::Database& database, sql::Sql text,
                        std::initializer_list<sql::Parameter> parameters) {
  const auto row = database.QueryOne(text, parameters);
  INFO(text.view());
  REQUIRE(row);
  REQUIRE(*row != nullptr);
  std::string value = (*row)->Text(0);
  (*row)->Reset();
  return value;
}

void House::Send(const std::string& message) {
  const auto sent = work().Execute(
      "INSERT INTO QUEUE_MESSAGE (LIBRARY, NAME, MESSAGE) VALUES ('K3SAI', 'AIOUTQ', ?1)", {message});
  REQUIRE(sent);
}

std::string RequestMessage(const std::string& request_id, const std::string& prompt,
                           const std::string& extra) {
  Json message = {{"version", "1.0"},
                  {"request_id", request_id},
                  {"customer", "ACME"},
                  {"profile_ref", "ACME_DEFAULT"},
                  {"reply_queue", {{"library", "T"}, {"name", "R"}}},
                  {"prompt", prompt}};
  const Json fields = Json::parse(extra);
  for (const auto& [name, value] : fields.items()) {
    if (value.is_null())
      message.erase(name);
    else
      message[name] = value;
  }
  return message.dump();
}

void House::SendRequest(const std::string& request_id, const std::string& prompt, const std::string& extra) {
  Send(RequestMessage(request_id, prompt, extra));
}

// README's own way to read a reply queue, one request's replies only.
std::string House::TakeReply(const std::string& request_id) {
  const auto row = work().QueryOne(
      "UPDATE REPLY_MESSAGE SET TAKEN_AT = 1 WHERE REPLY_ID = (SELECT MIN(REPLY_ID) FROM REPLY_MESSAGE WHERE "
      "TAKEN_AT IS NULL AND json_extract(MESSAGE, '$.request_id') = ?1) RETURNING MESSAGE",
      {request_id});
  REQUIRE(row);
  if (*row == nullptr) return "";
  std::string message = (*row)->Text(0);
  (*row)->Reset();
  return message;
}

std::string House::AwaitReply(const std::string& request_id, int seconds) {
  std::string reply;
  Eventually(
      [&] {
        reply = TakeReply(request_id);
        return !reply.empty();
      },
      seconds);
  return reply;
}

std::string House::Ask(const std::string& request_id, const std::string& prompt, const std::string& extra) {
  SendRequest(request_id, prompt, extra);
  return AwaitReply(request_id);
}

bool House::QueueEmpty() {
  return Number(work(), "SELECT COUNT(*) FROM QUEUE_MESSAGE") == 0;
}

std::string Field(const std::string& json, const std::string& name) {
  const Json object = Json::parse(json, nullptr, false);
  if (!object.is_object() || !object.contains(name)) return "";
  return object[name].is_string() ? object[name].get<std::string>() : object[name].dump();
}

}  // namespace strongroom::e2e
