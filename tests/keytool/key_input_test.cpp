#include <unistd.h>

#include <array>
#include <string>

#include "keytool/key_input.h"
#include "tests/vault/secret_probe.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {
namespace {

// Read puts text through a pipe into KeyInput, in one piece or byte by byte.
Result<vault::SecretValue> Read(const std::string& text) {
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  REQUIRE(write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  close(ends[1]);
  auto key = KeyInput::FromDescriptor(ends[0]);
  close(ends[0]);
  return key;
}

std::string Text(const Result<vault::SecretValue>& key) {
  REQUIRE(key.has_value());
  const Bytes bytes = vault::SecretProbe::Copy(key->View());
  return std::string(base::AsText(bytes));
}

const std::string kKey = "sk-ant-REDACTED-0123456789";

}  // namespace

TEST_CASE("a key is read exactly, less one newline") {
  CHECK(Text(Read(kKey)) == kKey);
  CHECK(Text(Read(kKey + "\n")) == kKey);
  CHECK(Text(Read(kKey + "\r\n")) == kKey);
  CHECK(Text(Read(std::string(20, 'k') + "\n")) == std::string(20, 'k'));
  CHECK(Text(Read(std::string(2000, 'k') + "\r\n")) == std::string(2000, 'k'));
}

TEST_CASE("what is no key is refused, and never quoted") {
  const std::vector<std::string> bad = {"",
                                        "\n",
                                        "\r\n",
                                        "short-key\n",
                                        std::string(19, 'k'),
                                        std::string(2001, 'k'),
                                        std::string(2048, 'k'),
                                        std::string(60'000, 'k'),
                                        kKey + "\n\n",
                                        kKey + "\r",
                                        kKey + " \n",
                                        " " + kKey,
                                        kKey.substr(0, 15) + "\n" + kKey.substr(15),
                                        kKey + std::string(1, '\0'),
                                        std::string(1, '\0') + kKey,
                                        "\"" + kKey + "\"\n",
                                        "ANTHROPIC_API_KEY=" + kKey,
                                        "sk-ant-api03-0123...abc",
                                        "sk-ant-sim-****************1234",
                                        kKey + "\xc3\xa9"};
  for (const std::string& text : bad) {
    const auto key = Read(text);
    REQUIRE_FALSE(key.has_value());
    CHECK(key.error().code() == (text.find_first_not_of("\r\n") == std::string::npos ? Code::kNotFound : Code::kInvalidArgument));
    CHECK(key.error().Message().find("sk-ant") == std::string::npos);
    CHECK(key.error().Message().find("kkkk") == std::string::npos);
  }
  CHECK(Read("").error().Message() == "no key was given: it is empty");
}

TEST_CASE("a descriptor that cannot be read is one clear error") {
  const auto closed = KeyInput::FromDescriptor(-1);
  REQUIRE_FALSE(closed.has_value());
  CHECK(closed.error().code() == Code::kUnavailable);
}

}  // namespace strongroom::keytool
