#include "base/table.h"

#include <algorithm>

namespace strongroom::base {
namespace {

constexpr std::size_t kGap = 2;

void AppendCell(std::string& line, const std::string& cell, std::size_t width, bool right) {
  const std::string padding(width - WidthOf(cell), ' ');
  line += right ? padding + cell : cell + padding;
}

}  // namespace

std::string FormatTable(const std::vector<Column>& columns, const std::vector<Row>& rows) {
  std::vector<Row> lines(1);
  for (const Column& column : columns) lines.front().push_back(column.heading);
  for (const Row& row : rows) {
    Row& line = lines.emplace_back();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      line.push_back(i < row.size() && !row[i].empty() ? Printable(row[i]) : "-");
    }
  }
  std::vector<std::size_t> widths(columns.size());
  for (const Row& line : lines) {
    for (std::size_t i = 0; i < columns.size(); ++i) widths[i] = std::max(widths[i], WidthOf(line[i]));
  }
  std::string out;
  for (const Row& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (i > 0) text.append(kGap, ' ');
      AppendCell(text, line[i], widths[i], columns[i].right);
    }
    out += text.substr(0, text.find_last_not_of(' ') + 1) + '\n';
  }
  return out;
}

std::string CsvLine(const Row& row) {
  std::string line;
  for (const std::string& cell : row) {
    if (&cell != &row.front()) line += ',';
    if (cell.find_first_of(",\"\r\n") == std::string::npos) {
      line += cell;
      continue;
    }
    line += '"';
    for (const char c : cell) line += c == '"' ? std::string("\"\"") : std::string(1, c);
    line += '"';
  }
  return line;
}

std::string FormatCsv(const std::vector<Column>& columns, const std::vector<Row>& rows) {
  Row heading;
  for (const Column& column : columns) heading.push_back(column.heading);
  std::string out = CsvLine(heading) + "\r\n";
  for (Row row : rows) {
    row.resize(columns.size());
    out += CsvLine(row) + "\r\n";
  }
  return out;
}

std::string FormatFacts(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::size_t width = 0;
  for (const auto& [name, value] : facts) width = std::max(width, WidthOf(Printable(name)));
  std::string out;
  for (const auto& [name, value] : facts) {
    AppendCell(out, Printable(name), width, false);
    out.append(kGap, ' ');
    out += (value.empty() ? "-" : Printable(value)) + '\n';
  }
  return out;
}

}  // namespace strongroom::base
