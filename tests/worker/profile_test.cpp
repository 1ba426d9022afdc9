#include "worker/profile.h"

#include <catch2/catch.hpp>

using namespace strongroom;
using namespace strongroom::worker;

TEST_CASE("profile: MODEL and what MODELS_ALLOWED lists, nothing else") {
  Profile profile;
  profile.model = "m-1";
  CHECK(AllowsModel(profile, "m-1"));
  CHECK_FALSE(AllowsModel(profile, "m-2"));
  CHECK_FALSE(AllowsModel(profile, ""));
  profile.models_allowed = " m-2, m-3 ,,m-4";
  for (const char* model : {"m-1", "m-2", "m-3", "m-4"}) CHECK(AllowsModel(profile, model));
  for (const char* model : {"", " ", "m-", "m-2, m-3", "M-2", "m-22", "*"}) CHECK_FALSE(AllowsModel(profile, model));
}

TEST_CASE("profile: cost is the newest rate in force, exact, halves up") {
  const std::vector<vault::Rate> rates = {{"m", "openai", 3'000'000, 15'000'000, 100},
                                          {"m", "openai", 1'000'000, 2'000'000, 200},
                                          {"m", "openai", 9'000'000, 9'000'000, 300},
                                          {"m", "anthropic", 7'000'000, 7'000'000, 0}};
  CHECK(Cost(rates, "openai", "m", 1'000'000, 1'000'000, 150) == 18.0);
  CHECK(Cost(rates, "openai", "m", 1'000'000, 1'000'000, 299) == 3.0);
  CHECK(Cost(rates, "openai", "m", 487, 2, 200) == 0.000491);
  CHECK(Cost(rates, "openai", "m", std::nullopt, 5, 200) == 0.00001);
  CHECK(Cost(rates, "openai", "m", std::nullopt, std::nullopt, 200) == 0.0);
  CHECK_FALSE(Cost(rates, "openai", "m", 1, 1, 99));
  CHECK_FALSE(Cost(rates, "openai", "other", 1, 1, 500));
  CHECK_FALSE(Cost(rates, "ollama", "m", 1, 1, 500));
}

TEST_CASE("profile: cost rounds at the sixth decimal and does not overflow") {
  const std::vector<vault::Rate> half = {{"m", "p", 500'000, 0, 0}, {"n", "p", 499'999, 0, 0}};
  CHECK(Cost(half, "p", "m", 1, 0, 1) == 0.000001);
  CHECK(Cost(half, "p", "n", 1, 0, 1) == 0.0);
  CHECK(Cost(half, "p", "m", -5, 0, 1) == 0.0);
  const std::vector<vault::Rate> vast = {{"m", "p", INT64_MAX, INT64_MAX, 0}};
  CHECK(Cost(vast, "p", "m", INT64_MAX, INT64_MAX, 1) == 999'999.999999);
}
