#include "keytool/money.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {

TEST_CASE("dollars are parsed exactly") {
  CHECK(*ParseUsd("3") == 3'000'000);
  CHECK(*ParseUsd("15.00") == 15'000'000);
  CHECK(*ParseUsd("0.1") == 100'000);
  CHECK(*ParseUsd(".25") == 250'000);
  CHECK(*ParseUsd("0.000001") == 1);
  CHECK(*ParseUsd("0") == 0);
  CHECK(*ParseUsd("007.5") == 7'500'000);
  CHECK(*ParseUsd("1000000") == 1'000'000'000'000);
  CHECK(*ParseUsd("999999.999999") == 999'999'999'999);
}

TEST_CASE("what is no amount of dollars is refused") {
  for (const char* text : {"", ".", "3.", "-1", "+1", "1e3", "1,5", "$3", " 3", "3 ", "0.0000001", "1000000.000001",
                           "99999999", "1.2.3", "nan", "0x10"}) {
    INFO(text);
    CHECK_FALSE(ParseUsd(text).has_value());
  }
}

TEST_CASE("dollars are shown with what they need of decimals") {
  CHECK(FormatUsd(3'000'000) == "3.00");
  CHECK(FormatUsd(0) == "0.00");
  CHECK(FormatUsd(1) == "0.000001");
  CHECK(FormatUsd(250'000) == "0.25");
  CHECK(FormatUsd(1'234'500) == "1.2345");
  CHECK(FormatUsd(-500'000) == "-0.50");
  CHECK(FormatUsd(INT64_MIN) == "-9223372036854.775808");
  for (const std::int64_t micro : {0L, 1L, 999'999L, 1'000'000L, 123'456'789L}) CHECK(*ParseUsd(FormatUsd(micro)) == micro);
}

}  // namespace strongroom::keytool
