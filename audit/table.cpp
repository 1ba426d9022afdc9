#include "audit/table.h"

#include <algorithm>

namespace strongroom::audit {
namespace {

void AppendRow(std::string& out, const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    out += cells[i];
    if (i + 1 < cells.size()) out.append(widths[i] + 2 - base::WidthOf(cells[i]), ' ');
  }
  while (out.ends_with(' ')) out.pop_back();
  out += '\n';
}

}  // namespace

std::string FormatTable(const std::vector<std::string>& heading, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> lines = {heading};
  for (const auto& row : rows) {
    auto& line = lines.emplace_back();
    for (const auto& cell : row) line.push_back(Printable(cell));
  }
  std::vector<std::size_t> widths(heading.size());
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], base::WidthOf(line[i]));
  }
  std::string out;
  for (const auto& line : lines) AppendRow(out, line, widths);
  return out;
}

}  // namespace strongroom::audit
