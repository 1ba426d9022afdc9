#include "vault/shares.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "tests/vault/secret_probe.h"
#include "vault/share_code.h"

#include <catch2/catch.hpp>

namespace strongroom::vault {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::uint8_t, kLineBytes> kId{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

ShareFacts Facts(std::int64_t shares = 5, std::int64_t threshold = 3) {
  return {PrintSetId(kId), 1, shares, threshold, ""};
}

Bytes Secret() {
  Bytes bytes(kShareBytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37 + 11);
  return bytes;
}

std::vector<Share> Split(const ShareFacts& facts) {
  const SecretValue secret = SecretProbe::Of(Secret());
  auto shares = Shares::Split(secret.View(), facts);
  REQUIRE(shares.has_value());
  return std::move(*shares);
}

std::string TextOf(const Share& share) {
  const auto text = Shares::Print(share);
  REQUIRE(text.has_value());
  return std::string(base::AsText(SecretProbe::Copy(text->View())));
}

std::expected<Share, ShareProblem> Parse(const std::string& text) {
  const SecretValue value = SecretProbe::Of(text);
  return Shares::Parse(value.View());
}

std::string ProblemOf(const std::string& text) {
  const auto share = Parse(text);
  REQUIRE_FALSE(share.has_value());
  CHECK(share.error().text.find('\n') == std::string::npos);
  return share.error().text;
}

bool Says(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string Replace(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// Multiplication in GF(256) as libgfshare's documentation has it (polynomial 0x11d), bit by bit.
std::uint8_t Times(unsigned a, unsigned b) {
  unsigned product = 0;
  for (; b != 0; b >>= 1U, a = (a << 1U) ^ ((a & 0x80U) != 0 ? 0x11dU : 0U)) {
    if ((b & 1U) != 0) product ^= a;
  }
  return static_cast<std::uint8_t>(product);
}

std::uint8_t Inverse(unsigned a) {
  for (unsigned b = 1; b < 256; ++b) {
    if (Times(a, b) == 1) return static_cast<std::uint8_t>(b);
  }
  return 0;
}

// Lagrange's interpolation at 0, straight from the book.
Bytes Interpolate(const std::vector<const Share*>& shares) {
  Bytes secret(kShareBytes);
  for (const Share* share : shares) {
    unsigned factor = 1;
    const auto x = static_cast<unsigned>(share->facts.index);
    for (const Share* other : shares) {
      const auto y = static_cast<unsigned>(other->facts.index);
      if (x != y) factor = Times(factor, Times(y, Inverse(x ^ y)));
    }
    const Bytes piece = SecretProbe::Copy(share->value.View());
    for (std::size_t i = 0; i < kShareBytes; ++i) secret[i] ^= Times(factor, piece[i]);
  }
  return secret;
}

}  // namespace

TEST_CASE("shares: any three of five make the secret again, two of them another one", "[share]") {
  const auto shares = Split(Facts());
  REQUIRE(shares.size() == 5);
  int sets = 0;
  for (std::size_t a = 0; a < 5; ++a) {
    for (std::size_t b = 0; b < 5; ++b) {
      for (std::size_t c = 0; c < 5; ++c) {
        if (a == b || b == c || a == c) continue;
        std::vector<Share> some;
        for (const std::size_t i : {a, b, c}) {
          some.emplace_back(shares[i].facts, SecretProbe::Of(SecretProbe::Copy(shares[i].value.View())));
        }
        CHECK(SecretProbe::Copy(Shares::Combine(some)->View()) == Secret());
        CHECK(Interpolate({&shares[a], &shares[b], &shares[c]}) == Secret());
        CHECK(Interpolate({&shares[a], &shares[b]}) != Secret());
        ++sets;
      }
    }
  }
  CHECK(sets == 60);
}

TEST_CASE("shares: two of two, and all of the most there may be", "[share]") {
  for (const auto& [count, threshold] : {std::pair{2, 2}, std::pair{32, 32}, std::pair{32, 2}}) {
    CHECK(SecretProbe::Copy(Shares::Combine(Split(Facts(count, threshold)))->View()) == Secret());
  }
}

TEST_CASE("shares: each splitting draws its own coefficients", "[share]") {
  const auto one = Split(Facts()), two = Split(Facts());
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(SecretProbe::Copy(one[i].value.View()) != SecretProbe::Copy(two[i].value.View()));
    CHECK(SecretProbe::Copy(one[i].value.View()) != Secret());
  }
}

TEST_CASE("shares: what is printed parses to the same", "[share]") {
  for (Share& share : Split(Facts())) {
    share.facts.custodian = share.facts.index == 2 ? "Ada Löwe" : "";
    const std::string text = TextOf(share);
    const auto back = Parse(text);
    REQUIRE(back.has_value());
    CHECK(back->facts == share.facts);
    CHECK(SecretProbe::Copy(back->value.View()) == SecretProbe::Copy(share.value.View()));
    CHECK(TextOf(*back) == text);
    CHECK(*Shares::DigestOf(*back) == *Shares::DigestOf(share));
  }
}

TEST_CASE("shares: blanks, empty lines and capitals do not matter", "[share]") {
  const auto shares = Split(Facts());
  auto lines = LinesOf(TextOf(shares[0]));
  REQUIRE(lines.size() == 8);
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 2) {
      for (char& c : lines[i]) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    text += "  " + lines[i] + " \r\n\n";
  }
  CHECK(Parse(text).has_value());
}

TEST_CASE("shares: a mistyped one is refused with the place", "[share]") {
  const std::string text = TextOf(Split(Facts())[0]);
  const auto lines = LinesOf(text);
  const std::string third = lines[5];
  REQUIRE(third.starts_with("3 "));
  const auto with = [&](const std::string& line) { return ProblemOf(Replace(text, third, line)); };
  SECTION("one character") {
    // Group 2 begins at 7: number, blank, four characters, blank.
    std::string wrong = third;
    wrong[8] = wrong[8] == 'q' ? 'p' : 'q';
    CHECK(Says(with(wrong), "line 3 is mistyped, most likely in character 2 of group 2"));
  }
  SECTION("two characters exchanged") {
    std::string wrong = third;
    std::size_t at = 2;
    while (wrong[at] == wrong[at + 1] || wrong[at + 1] == ' ' || wrong[at] == ' ') ++at;
    std::swap(wrong[at], wrong[at + 1]);
    CHECK(with(wrong) == "line 3 is mistyped");
  }
  SECTION("a character that no share has") {
    std::string wrong = third;
    wrong[2] = 'b';
    CHECK(Says(with(wrong), "line 3, character 1 of group 1"));
  }
  SECTION("too short and too long") {
    CHECK(Says(with(third.substr(0, third.size() - 1)), "line 3 is too short: it has 19"));
    CHECK(Says(with(third + "q"), "line 3 is too long"));
  }
  SECTION("lines missing, exchanged, or something behind") {
    CHECK(Says(with(""), "line 3 is missing"));
    CHECK(Says(with("3 " + lines[6].substr(2)), "line 3 is line 4 of a share"));
    CHECK(Says(ProblemOf(text + "6 qqqq\n"), "behind line 5"));
    CHECK(Says(ProblemOf(text.substr(0, text.find("\n1 ") + 1)), "line 1 is missing"));
  }
  SECTION("no share at all") {
    CHECK(Says(ProblemOf("0123456789abcdef"), "no recovery share"));
    CHECK(Says(ProblemOf("\n"), "no recovery share"));
  }
}

TEST_CASE("shares: lines of two shares, and a heading that was changed, are refused", "[share]") {
  const auto shares = Split(Facts());
  const std::string text = TextOf(shares[0]);
  CHECK(Says(ProblemOf(Replace(text, LinesOf(text)[5], LinesOf(TextOf(shares[1]))[5])), "not all of one share"));
  CHECK(Says(ProblemOf(Replace(text, "share      1 of 5", "share      2 of 5")), "above its lines"));
  CHECK(Says(ProblemOf(Replace(text, "any 3", "any 2")), "above its lines"));
  CHECK(Says(ProblemOf(Replace(text, LinesOf(text)[1], "set        qqqq-qqqq-qqqq-qqqq")), "above its lines"));
  CHECK(Says(ProblemOf(Replace(text, LinesOf(text)[1] + "\n", "")), "above its lines"));
  CHECK(Says(ProblemOf(Replace(text, "\n1 ", "\ncustodian  \x1b[2J\n1 ")), "custodian"));
}

TEST_CASE("shares: typed line by line, with the line's number or without", "[share]") {
  const auto shares = Split(Facts());
  const auto lines = LinesOf(TextOf(shares[3]));
  auto typed = Shares::Typed::Start();
  REQUIRE(typed.has_value());
  const auto take = [&](const std::string& line) {
    const SecretValue value = SecretProbe::Of(line);
    return typed->Take(value.View());
  };
  REQUIRE(take(lines[3] + "\n").has_value());
  std::string second = lines[4].substr(2);
  CHECK_FALSE(take(second.substr(1)).has_value());  // and asked for again
  CHECK(typed->next() == 2);
  std::erase(second, ' ');
  REQUIRE(take(second).has_value());
  for (std::size_t i = 5; i < 8; ++i) REQUIRE(take(lines[i].substr(2)).has_value());
  REQUIRE(typed->whole());
  const auto share = std::move(*typed).Finish();
  REQUIRE(share.has_value());
  CHECK(share->facts == shares[3].facts);
  CHECK(*Shares::DigestOf(*share) == *Shares::DigestOf(shares[3]));
}

TEST_CASE("shares: files are 0600, never written over, and refused where others can read them", "[share]") {
  std::string pattern = (fs::temp_directory_path() / "strongroom-share-XXXXXX").string();
  REQUIRE(mkdtemp(pattern.data()) != nullptr);
  const std::string path = pattern + "/share-1";
  const auto shares = Split(Facts());
  REQUIRE(Shares::WriteFile(path, shares[0]).has_value());
  CHECK(Shares::WriteFile(path, shares[1]).error().code() == Code::kAlreadyExists);
  struct stat facts {};
  REQUIRE(stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777U) == 0600);
  CHECK(Shares::ReadFile(path)->facts == shares[0].facts);
  CHECK(Says(Shares::ReadFile(path + "0").error().text, "no such file"));
  REQUIRE(chmod(path.c_str(), 0644) == 0);
  CHECK(Says(Shares::ReadFile(path).error().text, "read by others"));
  REQUIRE(chmod(path.c_str(), 0600) == 0);
  std::ofstream(path, std::ios::app) << std::string(3000, '\n');
  CHECK(Says(Shares::ReadFile(path).error().text, "too long"));
  fs::remove_all(pattern);
}

TEST_CASE("shares: what a share may say of itself", "[share]") {
  ShareFacts facts = Facts();
  CHECK(IsShareFacts(facts));
  const auto is = [&facts](auto change) {
    ShareFacts changed = facts;
    change(changed);
    return IsShareFacts(changed);
  };
  CHECK_FALSE(is([](ShareFacts& f) { f.index = 0; }));
  CHECK_FALSE(is([](ShareFacts& f) { f.index = 6; }));
  CHECK_FALSE(is([](ShareFacts& f) { f.threshold = 1; }));
  CHECK_FALSE(is([](ShareFacts& f) { f.threshold = 6; }));
  CHECK_FALSE(is([](ShareFacts& f) { f.shares = 33; }));
  CHECK_FALSE(is([](ShareFacts& f) { f.set_id = "x"; }));
  CHECK_FALSE(is([](ShareFacts& f) { f.custodian = "two\nlines"; }));
  CHECK_FALSE(is([](ShareFacts& f) { f.custodian = " Ada"; }));
  CHECK_FALSE(is([](ShareFacts& f) { f.custodian = std::string(61, 'a'); }));
  CHECK(is([](ShareFacts& f) { f.custodian = "Ada"; }));
}

}  // namespace strongroom::vault
