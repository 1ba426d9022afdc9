#include "base/bytes.h"

#include "base/printable.h"

#include <catch2/catch.hpp>

using namespace strongroom;
using base::ByteReader;
using base::ByteWriter;

TEST_CASE("what the writer writes the reader reads") {
  ByteWriter writer;
  writer.U8(7).U16(0x0102).U32(0x01020304).U64(0x0102030405060708).I64(-5).Field(std::string_view("a\0b", 3)).Field("");
  const Bytes bytes = writer.Take();
  ByteReader reader(bytes);
  CHECK(reader.U8() == 7);
  CHECK(reader.U16() == 0x0102);
  CHECK(reader.U32() == 0x01020304);
  CHECK(reader.U64() == 0x0102030405060708);
  CHECK(reader.I64() == -5);
  CHECK(reader.Text() == std::string("a\0b", 3));
  CHECK(reader.Text().empty());
  CHECK(reader.Finish().has_value());
}

TEST_CASE("integers are big-endian and fields carry their length") {
  ByteWriter writer;
  writer.U16(0x0102).Field("ab");
  CHECK(base::Hex(writer.bytes()) == "0102000000026162");
}

TEST_CASE("every truncation and one byte too many are refused") {
  ByteWriter writer;
  writer.U32(1).Field("hello");
  const Bytes whole = writer.bytes();
  for (std::size_t size = 0; size <= whole.size() + 1; ++size) {
    Bytes part = whole;
    part.resize(size);
    ByteReader reader(part);
    reader.U32();
    reader.Text();
    CHECK(reader.Finish().has_value() == (size == whole.size()));
  }
}

TEST_CASE("a length beyond the end latches failure") {
  ByteWriter writer;
  writer.U32(0xffffffff).U8(1);
  ByteReader reader(writer.bytes());
  CHECK(reader.Text().empty());
  CHECK(reader.U8() == 0);
  CHECK_FALSE(reader.Finish().has_value());
}

TEST_CASE("hexadecimal is lower case and strict") {
  CHECK(base::Hex(Bytes{0, 15, 16, 255}) == "000f10ff");
  CHECK(base::Unhex("000f10ff").value() == Bytes{0, 15, 16, 255});
  CHECK_FALSE(base::Unhex("0").has_value());
  CHECK_FALSE(base::Unhex("0G").has_value());
  CHECK_FALSE(base::Unhex("0F").has_value());
}

TEST_CASE("UTF-8 as RFC 3629 has it") {
  CHECK(base::IsUtf8(""));
  CHECK(base::IsUtf8("plain"));
  CHECK(base::IsUtf8("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x91"));
  CHECK(base::IsUtf8("\xf4\x8f\xbf\xbf"));
  CHECK_FALSE(base::IsUtf8("\xc0\x80"));          // overlong NUL
  CHECK_FALSE(base::IsUtf8("\xe0\x80\x80"));      // overlong
  CHECK_FALSE(base::IsUtf8("\xed\xa0\x80"));      // surrogate
  CHECK_FALSE(base::IsUtf8("\xf4\x90\x80\x80"));  // past U+10FFFF
  CHECK_FALSE(base::IsUtf8("\xe2\x82"));          // cut
  CHECK_FALSE(base::IsUtf8("\x80"));
}

TEST_CASE("what is shown can neither steer a terminal nor hide") {
  CHECK(base::Printable("plain \xc3\xa9") == "plain \xc3\xa9");
  CHECK(base::Printable("a\x1b[2Jb\n") == "a?[2Jb?");
  CHECK(base::Printable("so\xc2\xad" "ft") == "so?ft");                     // soft hyphen
  CHECK(base::Printable("x\xf3\xa0\x81\x81y") == "x?y");                // a tag character
  CHECK(base::Printable("\xe2\x80\xae" "abc") == "?abc");               // right-to-left override
  CHECK(base::Printable("\xff\xc3") == "??");
  CHECK(base::WidthOf("\xc3\xa9t\xc3\xa9") == 3);
}
