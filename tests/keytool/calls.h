// Calls: a home whose work database has the calls that a test puts there.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "sql/database.h"
#include "tests/keytool/command.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {

class Calls {
 public:
  Calls() {
    std::filesystem::create_directory(home.path());
    home.File("home/strongroom.toml", base::DefaultConfigText("root"));
    sql::OpenOptions options;
    options.access = sql::Access::kCreate;
    auto opened = sql::Open("sqlite:" + home.path() + "/strongroom.db", options);
    REQUIRE(opened.has_value());
    database = std::move(*opened);
    REQUIRE(sql::CreateSchema(*database, sql::Schema::kWork).has_value());
  }
  void Add(std::string_view customer, std::string_view status, double cost, base::Micros at, std::string_view model = "m") {
    const std::string request = "r" + std::to_string(++count_);
    const auto added = database->Execute(
        "INSERT INTO USAGE_LOG (WORKER_PID, REQUEST_ID, CUSTOMER, PROVIDER, MODEL, STATUS, TOKENS_IN, TOKENS_OUT, "
        "COST_BASIS_USD, KEY_REF, WORKER_ID, VERSION, LOGGED_AT) VALUES (1, ?1, ?2, 'openai', ?7, ?3, ?4, 20, ?5, "
        "'K', 'w', '1.0', ?6)",
        {std::string_view(request), customer, status,
         status == "success" ? sql::Parameter(std::int64_t{10}) : sql::Parameter(std::monostate{}), cost, at, model});
    REQUIRE(added.has_value());
  }
  Home home;
  std::unique_ptr<sql::Database> database;

 private:
  int count_ = 0;
};

}  // namespace strongroom::keytool
