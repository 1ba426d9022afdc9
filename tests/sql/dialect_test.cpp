#include "sql/dialect.h"

#include <catch2/catch.hpp>

namespace strongroom::sql {

TEST_CASE("parameters become bare markers in their order") {
  const auto markers =
      RewriteMarkers("INSERT INTO t VALUES (?2, ?1, ?2, '?3', \"?4\", $$?5$$) -- ?6\n/* ?7 */ + ?10");
  REQUIRE(markers);
  CHECK(markers->text == "INSERT INTO t VALUES (?, ?, ?, '?3', \"?4\", $$?5$$)    + ?");
  CHECK(markers->order == std::vector<std::size_t>{2, 1, 2, 10});
  CHECK(markers->count == 10);
  CHECK(RewriteMarkers("SELECT 'it''s ?1'")->order.empty());
  for (const char* wrong : {"?", "? ", "?0", "?x", "?99999999999999999999", "?-1"}) {
    CAPTURE(wrong);
    CHECK_FALSE(RewriteMarkers(wrong));
  }
}

TEST_CASE("scripts are cut only where a statement ends") {
  CHECK(SplitScript("").empty());
  CHECK(SplitScript(" ;\n; -- nothing;\n /* ; */ ;").empty());
  CHECK(SplitScript("A;B") == std::vector<std::string>{"A", "B"});
  CHECK(SplitScript("A 'x;y';B \"p;q\";") == std::vector<std::string>{"A 'x;y'", "B \"p;q\""});
  CHECK(SplitScript("A 'x''; y';B") == std::vector<std::string>{"A 'x''; y'", "B"});
  CHECK(SplitScript("A --x;y\nB") == std::vector<std::string>{"A  B"});
  CHECK(SplitScript("F $$a;b$$;G $x1$ a; $$ ; $x1$;H") ==
        std::vector<std::string>{"F $$a;b$$", "G $x1$ a; $$ ; $x1$", "H"});
  CHECK(SplitScript("a$b;c$d;$1;") == std::vector<std::string>{"a$b", "c$d", "$1"});
  // What is never closed runs to the end, and the engine refuses it.
  for (const char* open : {"A 'x;", "A \"x;", "A $$x;"})
    CHECK(SplitScript(open) == std::vector<std::string>{open});
  CHECK(SplitScript("A /* x;") == std::vector<std::string>{"A  "});
}

TEST_CASE("native codes and SQLSTATEs become ours") {
  CHECK(SqliteError(2067).code() == Code::kAlreadyExists);
  CHECK(SqliteError(787).code() == Code::kRefused);
  CHECK(SqliteError(19 | (9 << 8)).code() == Code::kRefused);
  CHECK(SqliteError(5).code() == Code::kUnavailable);
  CHECK(SqliteError(10 | (3 << 8)).Message() == "I/O error on the database file (778)");
  CHECK(SqliteError(13).text().find("disk is full") != std::string_view::npos);
  CHECK(SqliteError(11 | (1 << 8)).code() == Code::kCorrupt);
  CHECK(SqliteError(1).code() == Code::kInternal);
  CHECK(SqliteError(0xfe).code() == Code::kInternal);
  CHECK(SqlstateError("23505").code() == Code::kAlreadyExists);
  CHECK(SqlstateError("23505").number() == 23505);
  CHECK(SqlstateError("23P01").code() == Code::kRefused);
  CHECK_FALSE(SqlstateError("40P01").has_number());
  CHECK(SqlstateError("40P01").code() == Code::kConflict);
  CHECK(SqlstateError("40001").code() == Code::kConflict);
  CHECK(SqlstateError("08S01").code() == Code::kUnavailable);
  CHECK(SqlstateError("HYT00").code() == Code::kUnavailable);
  CHECK(SqlstateError("").code() == Code::kInternal);
  CHECK(SqlstateError("?!").code() == Code::kInternal);
}

}  // namespace strongroom::sql
