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

// RFC 4180, section 2: rules 2, 5, 6 and 7.
TEST_CASE("CSV quotes what must be quoted, and nothing else") {
  CHECK(FormatCsv({{"field_name"}, {"field_name"}, {"field_name"}}, {{"aaa", "bbb", "ccc"}, {"zzz"}}) ==
        "field_name,field_name,field_name\r\naaa,bbb,ccc\r\nzzz,,\r\n");
  CHECK(CsvLine({"aaa", "b\r\nbb", "ccc"}) == "aaa,\"b\r\nbb\",ccc");
  CHECK(CsvLine({"aaa", "b\"bb", "c,c"}) == "aaa,\"b\"\"bb\",\"c,c\"");
  CHECK(CsvLine({"a b", "zo\xc3\xab", ""}) == "a b,zo\xc3\xab,");
  CHECK(CsvLine({}).empty());
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
