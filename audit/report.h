// Answers: what an auditor is told, as tables for people, or as JSON or CSV for programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/table.h"

namespace strongroom::audit {

// Section is one answer: what was asked, and all rows that hold, unless some were drawn from them.
struct Section {
  std::string name;   // for programs, such as "denied"
  std::string query;  // what was asked, with its limits, for a person who asks again
  std::vector<base::Column> columns;
  std::vector<base::Row> rows;
  std::vector<std::string> notes;              // what a reader must know besides, one line each
  std::optional<std::int64_t> population = {};  // how many rows there were; without it, `rows` are all
};

struct Answers {
  std::string name;
  std::vector<Section> sections;
};

// Draw keeps `size` rows, in the order they had: those whose SHA-256(0x00 ‖ seed ‖ LF ‖ the row as a line of CSV, without its line
// break) is lowest. So whoever has all rows can draw the same ones.
void Draw(Section& section, std::int64_t size, const std::string& seed);

enum class ReportStyle : std::uint8_t { kTable, kJson, kCsv };

// FormatReport renders it. JSON is one object; CSV is RFC 4180: of one section its heading and rows, of several the lines SECTION, ROW,
// COLUMN, VALUE. Cells are Printable, and in CSV a cell that a spreadsheet would take for a formula begins with an apostrophe.
std::string FormatReport(const Answers& report, ReportStyle style);

}  // namespace strongroom::audit
