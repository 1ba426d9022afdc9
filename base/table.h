// Table: facts for people, in plain aligned columns.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/printable.h"

namespace strongroom::base {

// Column is a heading; numbers stand at the right of theirs.
struct Column {
  std::string heading;
  bool right = false;
};
using Row = std::vector<std::string>;

// FormatTable renders a heading and rows, each cell Printable, columns two spaces apart. A row that is shorter than the
// heading is filled up with "-", and so is an empty cell.
std::string FormatTable(const std::vector<Column>& columns, const std::vector<Row>& rows);

// CsvLine renders one row as RFC 4180 has it, without its line break: a cell with a comma, a quote or a line break is quoted, and its
// quotes doubled. FormatCsv renders a heading and rows, each line ended by CRLF; a row that is shorter is filled up with empty cells.
std::string CsvLine(const Row& row);
std::string FormatCsv(const std::vector<Column>& columns, const std::vector<Row>& rows);

// FormatFacts renders names and values, one pair a line, the values aligned.
std::string FormatFacts(const std::vector<std::pair<std::string, std::string>>& facts);

}  // namespace strongroom::base
