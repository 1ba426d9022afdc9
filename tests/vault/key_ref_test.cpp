#include "vault/key_ref.h"

#include <catch2/catch.hpp>

namespace strongroom::vault {
namespace {

TEST_CASE("a KEY_REF reads back as it was made", "[key_ref]") {
  const auto ref = KeyRef::Parse("ACME/anthropic/default/1");
  REQUIRE(ref);
  CHECK(ref->customer() == "ACME");
  CHECK(ref->provider() == "anthropic");
  CHECK(ref->label() == "default");
  CHECK(ref->version() == 1);
  const auto longest = KeyRef::Make("a_$#@-Z890", "azure-openai-0123456", "Label.with_all-20ch.", 999'999);
  REQUIRE(longest);
  CHECK(longest->text().size() <= 60);
  CHECK(KeyRef::Parse(longest->text()) == *longest);
}

TEST_CASE("everything else is no KEY_REF", "[key_ref]") {
  for (const char* text : {"",
                           "/",
                           "///",
                           "ACME",
                           "ACME/anthropic/default",
                           "ACME/anthropic/default/",
                           "ACME/anthropic/default/0",
                           "ACME/anthropic/default/01",
                           "ACME/anthropic/default/+1",
                           "ACME/anthropic/default/-1",
                           "ACME/anthropic/default/1/",
                           "ACME/anthropic/default/1/2",
                           "ACME/anthropic/default/1 ",
                           " ACME/anthropic/default/1",
                           "ACME/anthropic/default/1000000",
                           "ACME/anthropic/default/99999999999999999999",
                           "/anthropic/default/1",
                           "ACME//default/1",
                           "ACME/anthropic//1",
                           "ACME/Anthropic/default/1",
                           "ACME12345678/anthropic/default/1",
                           "ACME/anthropic1234567890123/default/1",
                           "ACME/anthropic/default12345678901234/1",
                           "AC ME/anthropic/default/1",
                           "AC.ME/anthropic/default/1",
                           "ACME/an_thropic/default/1",
                           "ACME/anthropic/de$fault/1",
                           "ACME/anthropic/../1x",
                           "ACME/anthropic/default/0x1",
                           "\xc3\x84/anthropic/default/1",
                           "ACME/anthropic/default/1\n"}) {
    INFO(text);
    const auto ref = KeyRef::Parse(text);
    REQUIRE_FALSE(ref);
    CHECK(ref.error().code() == Code::kInvalidArgument);
  }
  CHECK_FALSE(KeyRef::Parse(std::string_view("ACME/anthropic/default/1\0", 25)));
  CHECK_FALSE(KeyRef::Parse(std::string_view("AC\0E/anthropic/default/1", 24)));
}

TEST_CASE("making a KEY_REF checks each part", "[key_ref]") {
  CHECK(KeyRef::Make("A", "b", "c", 1).has_value());
  CHECK_FALSE(KeyRef::Make("A/b", "b", "c", 1));
  CHECK_FALSE(KeyRef::Make("A", "b/c", "c", 1));
  CHECK_FALSE(KeyRef::Make("A", "b", "c/d", 1));
  CHECK_FALSE(KeyRef::Make("A", "b", "c", 0));
  CHECK_FALSE(KeyRef::Make("A", "b", "c", 1'000'000));
  CHECK_FALSE(CheckCustomer("ABCDEFGHIJK"));
  CHECK(CheckProvider("openai").has_value());
}

}  // namespace
}  // namespace strongroom::vault
