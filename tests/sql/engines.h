// A fresh, empty database of either engine for a test, and the words in which their schemas differ.
#pragma once

#include "sql/database.h"
// Our headers come first in a test: Catch's CHECK then replaces the one of base/result.h.
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "tests/sql/postgres_server.h"

namespace strongroom::test {

// TemporaryDirectory is there as long as the object is.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "strongroom-sql-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// EmptyDatabase is a new SQLite file, or the test server's database with nothing in it.
class EmptyDatabase {
 public:
  explicit EmptyDatabase(sql::Engine engine) : engine_(engine) {
    if (engine == sql::Engine::kPostgres) TestPostgres::Get().Clear();
  }
  std::string Url() const {
    if (engine_ == sql::Engine::kPostgres) return TestPostgres::Get().Url();
    return "sqlite:" + directory_.path() + "/test.db";
  }
  std::unique_ptr<sql::Database> Connect(std::int64_t busy_ms = 10'000) const {
    sql::OpenOptions options;
    options.access = sql::Access::kCreate;
    options.busy_ms = busy_ms;
    auto database = sql::Open(Url(), options);
    REQUIRE(database);
    return std::move(*database);
  }
  const std::string& directory() const { return directory_.path(); }

 private:
  sql::Engine engine_;
  TemporaryDirectory directory_;
};

// ForEngine writes a script's INTEGER, REAL and BLOB in the engine's words.
inline std::string ForEngine(sql::Engine engine, std::string script) {
  if (engine == sql::Engine::kSqlite) return script;
  constexpr const char* kWords[][2] = {{"INTEGER", "BIGINT"}, {"REAL", "DOUBLE PRECISION"}, {"BLOB", "BYTEA"}};
  for (const auto& [from, to] : kWords) {
    for (std::size_t at = 0; (at = script.find(from, at)) != std::string::npos;) {
      script.replace(at, std::string(from).size(), to);
    }
  }
  return script;
}

}  // namespace strongroom::test
