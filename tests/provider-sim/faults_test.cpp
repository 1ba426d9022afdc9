#include "provider-sim/faults.h"

#include <catch2/catch.hpp>
#include <string>

namespace strongroom::sim {
namespace {

FaultPlan Plan(std::string_view rates, std::string_view list = "", std::uint64_t seed = 1) {
  auto plan = FaultPlan::Make(rates, list, seed);
  REQUIRE(plan.has_value());
  return std::move(*plan);
}

}  // namespace

TEST_CASE("provider-sim faults: names read back as they print") {
  for (const char* name : {"429", "429quota", "401", "403", "500", "502", "503", "504", "529", "timeout",
                           "slow", "cut", "cutmid", "malformed", "html", "echo", "echoaside", "echoheader", "echo400", "echo401", "echo302", "echocut"}) {
    const auto fault = FaultByName(name);
    REQUIRE(fault.has_value());
    CHECK(FaultName(*fault) == name);
    CHECK(FaultHelp().find(std::string("  ") + name + ' ') != std::string::npos);
  }
  CHECK_FALSE(FaultByName("").has_value());
  CHECK_FALSE(FaultByName("none").has_value());
}

TEST_CASE("provider-sim faults: bad rates and lists are refused") {
  for (const char* rates :
       {"429", "429:", "429:x", "429:-0.1", "429:1.1", "429:nan", "teapot:0.1", "429:0.6,500:0.6", ","}) {
    CAPTURE(rates);
    CHECK_FALSE(FaultPlan::Make(rates, "", 1).has_value());
  }
  const auto plan = FaultPlan::Make("", "# comment\n1 500\nx 429\n", 1);
  REQUIRE_FALSE(plan.has_value());
  CHECK(plan.error().number() == 3);
  CHECK_FALSE(FaultPlan::Make("", "0 500\n", 1).has_value());
}

TEST_CASE("provider-sim faults: rates are kept, and a seed repeats a run") {
  const FaultPlan plan = Plan("429:0.1,529:0.05");
  const FaultPlan same = Plan("429:0.1,529:0.05");
  const FaultPlan other = Plan("429:0.1,529:0.05", "", 2);
  int limited = 0;
  int overloaded = 0;
  int differ = 0;
  for (std::uint64_t i = 1; i <= 20'000; ++i) {
    const std::string identity = "request-" + std::to_string(i);
    const Sighting sighting = {1, i};
    const Fault fault = plan.Choose(identity, sighting, "");
    REQUIRE(fault == same.Choose(identity, Sighting{1, 7}, "other prompt"));
    limited += fault == Fault::k429;
    overloaded += fault == Fault::k529;
    differ += fault != other.Choose(identity, sighting, "");
  }
  CHECK(limited > 1800);
  CHECK(limited < 2200);
  CHECK(overloaded > 850);
  CHECK(overloaded < 1150);
  CHECK(differ > 1000);
}

TEST_CASE("provider-sim faults: a rate of 1 hits every call, a retry draws anew") {
  const FaultPlan always = Plan("500:1");
  const FaultPlan half = Plan("500:0.5");
  int healed = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string identity = std::to_string(i);
    CHECK(always.Choose(identity, {1, 1}, "") == Fault::k500);
    healed +=
        half.Choose(identity, {1, 1}, "") == Fault::k500 && half.Choose(identity, {2, 2}, "") == Fault::kNone;
  }
  CHECK(healed > 5);
}

TEST_CASE("provider-sim faults: the list goes by the number of the call, and the prompt wins") {
  const FaultPlan plan = Plan("", "2 cut\r\n# later\n4 429\n");
  CHECK(plan.Choose("a", {1, 1}, "") == Fault::kNone);
  CHECK(plan.Choose("a", {1, 2}, "") == Fault::kCut);
  CHECK(plan.Choose("a", {9, 4}, "") == Fault::k429);
  CHECK(plan.Choose("a", {1, 2}, "please [[fault:html]]") == Fault::kHtml);
  CHECK(plan.Choose("a", {2, 2}, "please [[fault:htmlx1]]") == Fault::kNone);
}

TEST_CASE("provider-sim faults: directives take turns and rubbish is text") {
  const std::string turns = "a [[fault:500x2]] b [[fault:429x1]] c";
  CHECK(DirectedFault(turns, 1) == Fault::k500);
  CHECK(DirectedFault(turns, 2) == Fault::k500);
  CHECK(DirectedFault(turns, 3) == Fault::k429);
  CHECK_FALSE(DirectedFault(turns, 4).has_value());
  CHECK(DirectedFault("[[fault:echo401]]", 1000) == Fault::kEcho401);
  CHECK(DirectedFault("[[fault:nothing]] [[fault:429quotax1]]", 1) == Fault::k429Quota);
  CHECK(DirectedFault("[[fault:500x18446744073709551615]][[fault:429x9]]", 5) == Fault::k500);
  for (const char* text : {"", "[[fault:", "[[fault:500", "[[fault:]]", "[[fault:500x]]", "[[fault:500x0]]",
                           "[[fault:500x-1]]"}) {
    CAPTURE(text);
    CHECK_FALSE(DirectedFault(text, 1).has_value());
  }
  CHECK(DirectedLatency("x [[latency:1500]]") == 1500);
  CHECK(DirectedLatency("[[latency:999999]]") == 120'000);
  CHECK_FALSE(DirectedLatency("[[latency:-1]]").has_value());
  CHECK_FALSE(DirectedLatency("[[latency:1").has_value());
}

}  // namespace strongroom::sim
