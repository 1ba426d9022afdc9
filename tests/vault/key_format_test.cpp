#include "vault/key_format.h"

#include <catch2/catch.hpp>

#include "secret_probe.h"

namespace strongroom::vault {
namespace {

Error ErrorOf(std::string_view key) {
  const SecretValue secret = SecretProbe::Of(key);
  const auto checked = KeyFormat::Check(secret.View());
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code() == Code::kInvalidArgument);
  return checked.error();
}

TEST_CASE("keys of 20 to 2,000 printable bytes are taken", "[key_format]") {
  for (const std::size_t size : {20UL, 21UL, 256UL, 257UL, 2000UL}) {
    CHECK(KeyFormat::Check(SecretProbe::Of(std::string(size, '~')).View()).has_value());
    CHECK(KeyFormat::Check(SecretProbe::Of(std::string(size, '!')).View()).has_value());
  }
}

TEST_CASE("a refused key is told its length", "[key_format]") {
  CHECK(ErrorOf("").number() == 0);
  CHECK(ErrorOf(std::string(19, 'k')).number() == 19);
  CHECK(ErrorOf(std::string(2001, 'k')).number() == 2001);
  CHECK(ErrorOf(std::string(19, 'k')).text() != ErrorOf(std::string(2001, 'k')).text());
}

TEST_CASE("every byte outside 0x21 to 0x7E is refused, wherever it stands, with its place", "[key_format]") {
  for (int byte = 0; byte < 256; ++byte) {
    if (byte >= 0x21 && byte <= 0x7e) continue;
    for (const std::size_t place : {0UL, 7UL, 19UL}) {
      std::string key(20, 'k');
      key[place] = static_cast<char>(byte);
      const Error error = ErrorOf(key);
      const bool is_space = byte == ' ' || (byte >= 9 && byte <= 13);
      CHECK((error.text().find("space, tab or newline") != std::string_view::npos) == is_space);
      CHECK(error.number() == static_cast<std::int64_t>(place) + 1);
    }
  }
}

TEST_CASE("a refusal does not quote the key", "[key_format]") {
  const std::string key = "sk-ant-api03-hello world-0123456789";
  CHECK(ErrorOf(key).Message() == "the key has a space, tab or newline inside: at byte (19)");
}

TEST_CASE("more than the key, or less, is told, and not quoted", "[key_format]") {
  const auto why = [](std::string_view key) {
    const SecretValue secret = SecretProbe::Of(key);
    REQUIRE(KeyFormat::Check(secret.View()).has_value());
    const auto checked = KeyFormat::CheckCopied(secret.View());
    if (checked) return std::string();
    CHECK(checked.error().Message().find("0123456789") == std::string::npos);
    return checked.error().Message();
  };
  for (const std::string_view key : {"\"sk-ant-api03-0123456789\"", "'sk-ant-api03-0123456789'", "`sk-ant-api03-0123456789`", "\"sk-ant-api03-0123456789\","}) {
    CHECK(why(key).find("quotes") != std::string::npos);
  }
  for (const std::string_view key : {"ANTHROPIC_API_KEY=sk-ant-0123456789", "api_key=sk-0123456789", "TOKEN=\"sk-0123456789\""}) {
    CHECK(why(key).find("behind the =") != std::string::npos);
  }
  for (const std::string_view key : {"sk-ant-api03-0123456789...abc", "sk-ant-sim-****************1234", "0123456789***********"}) {
    CHECK(why(key).find("whole key") != std::string::npos);
  }
  for (const std::string_view key : {"sk-ant-api03-0123456789_-", "0123456789secretkey0123456789==", "0123456789tokenKEY012345678=", "abcdef=ghijkl=0123456789",
                                     "sk-key=0123456789012", "\"0123456789abcdefghijkl", "0123..456**789.*.*abcdef", "it's-0123456789-isn't"}) {
    CHECK(why(key).empty());
  }
}

TEST_CASE("for a server that is not the provider's own, only what is plainly another's is told", "[key_format]") {
  const auto fits = [](std::string_view key, std::string_view provider) {
    return KeyFormat::CheckOwner(SecretProbe::Of(key).View(), provider, KeyFormat::Server::kCustom).has_value();
  };
  CHECK_FALSE(fits("sk-proj-0123456789", "anthropic"));
  CHECK_FALSE(fits("sk-svcacct-0123456789", "anthropic"));
  CHECK(fits("sk-ant-api03-0123456789", "anthropic"));
  CHECK(fits("sk-0123456789", "anthropic"));
  CHECK(fits("sk-ant-api03-0123456789", "openai"));
  CHECK(fits("sk-or-v1-0123456789", "openai"));
  CHECK(fits("gsk_0123456789", "openai"));
}

TEST_CASE("a key that begins as another provider's keys do is told", "[key_format]") {
  const auto fits = [](std::string_view key, std::string_view provider) { return KeyFormat::CheckOwner(SecretProbe::Of(key).View(), provider).has_value(); };
  CHECK(fits("sk-ant-api03-0123456789", "anthropic"));
  CHECK_FALSE(fits("sk-ant-api03-0123456789", "openai"));
  CHECK(fits("sk-proj-0123456789", "openai"));
  CHECK(fits("sk-0123456789", "openai"));
  CHECK_FALSE(fits("sk-proj-0123456789", "anthropic"));
  CHECK_FALSE(fits("sk-ant-admin01-0123456789", "anthropic"));
  CHECK_FALSE(fits("sk-admin-0123456789", "openai"));
  CHECK_FALSE(fits("AIza0123456789", "openai"));
  // What is not known passes: providers change how their keys begin.
  CHECK(fits("sk-0123456789", "anthropic"));
  CHECK(fits("anything", "anthropic"));
  CHECK(fits("sk", "openai"));
}

}  // namespace
}  // namespace strongroom::vault
