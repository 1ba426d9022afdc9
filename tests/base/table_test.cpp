#include "base/table.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::base {

TEST_CASE("a table aligns by characters, numbers to the right") {
  CHECK(FormatTable({{"NAME"}, {"N", true}}, {{"z\xc3\xb6", "1"}, {"abcde", "100"}}) ==
        "NAME     N\nz\xc3\xb6       1\nabcde  100\n");
  CHECK(FormatTable({{"A"}, {"B"}, {"C"}}, {{"x", ""}, {}}) == "A  B  C\nx  -  -\n-  -  -\n");
  CHECK(FormatTable({{"A"}}, {}) == "A\n");
}

TEST_CASE("facts align their values") {
  CHECK(FormatFacts({{"a", "1"}, {"longer", ""}}) == "a       1\nlonger  -\n");
}

TEST_CASE("stored text cannot steer the terminal") {
  CHECK(Printable("\x1b[2Jgone\r\n\x7f") == "?[2Jgone???");
  CHECK(Printable("caf\xc3\xa9 \xf0\x9f\x98\x80") == "caf\xc3\xa9 \xf0\x9f\x98\x80");
  CHECK(Printable("\xc2\x9b" "31m") == "?31m");
  CHECK(Printable("a\xe2\x80\xae" "b") == "a?b");
  CHECK(Printable("\xff\xc3") == "??");
  CHECK(Printable(std::string_view("\0x", 2)) == "?x");
  CHECK(FormatTable({{"A"}}, {{"\x1b]0;owned\x07"}}) == "A\n?]0;owned?\n");
}

}  // namespace strongroom::base
