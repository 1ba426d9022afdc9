// A work database in a directory of its own, as the tests of the queue and of batch need it.
#pragma once

#include "base/clock.h"
#include "sql/database.h"
#include "worker/queue/queue.h"
// Our headers come first in a test: Catch's CHECK then replaces the one of base/result.h.
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

namespace strongroom::worker {

class WorkHouse {
 public:
  WorkHouse() {
    std::string name = (std::filesystem::temp_directory_path() / "strongroom-work-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
    sql::OpenOptions options;
    options.access = sql::Access::kCreate;
    auto database = sql::Open(Url(), options);
    REQUIRE(database);
    REQUIRE(sql::CreateSchema(**database, sql::Schema::kWork));
  }
  ~WorkHouse() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  WorkHouse(const WorkHouse&) = delete;
  WorkHouse& operator=(const WorkHouse&) = delete;

  std::string Url() const { return "sqlite:" + path_ + "/work.db"; }
  std::string Path(const std::string& name) const { return path_ + "/" + name; }
  std::unique_ptr<sql::Database> Connect(std::int64_t busy_ms = 10'000) const {
    sql::OpenOptions options;
    options.busy_ms = busy_ms;
    auto database = sql::Open(Url(), options);
    REQUIRE(database);
    return std::move(*database);
  }

 private:
  std::string path_;
};

// Number and Text are the first column of a query's only row; -1 and "(none)" where there is no row.
inline std::int64_t Number(sql::Database& database, sql::Sql text, std::initializer_list<sql::Parameter> parameters = {}) {
  const auto row = database.QueryOne(text, parameters);
  REQUIRE(row);
  if (*row == nullptr) return -1;
  const std::int64_t number = (*row)->Int64(0);
  (*row)->Reset();
  return number;
}
inline std::string Text(sql::Database& database, sql::Sql text, std::initializer_list<sql::Parameter> parameters = {}) {
  const auto row = database.QueryOne(text, parameters);
  REQUIRE(row);
  if (*row == nullptr) return "(none)";
  std::string content = (*row)->Text(0);
  (*row)->Reset();
  return content;
}

inline const QueueName kInbound{"K3SAI", "AIOUTQ"};
inline const QueueName kReplies{"ACME_5DTA", "RPLY_000001"};

inline Identity IdentityOf(const std::string& request_id, const std::string& customer = "ACME", std::uint8_t content = 1) {
  return Identity{customer, request_id, Bytes(32, content)};
}

// Eventually polls a condition for up to 20 seconds.
template <typename Condition>
bool Eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace strongroom::worker
