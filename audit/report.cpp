#include "audit/report.h"

#include <algorithm>

#include "audit/merkle.h"
#include "base/log.h"

namespace strongroom::audit {
namespace {

std::int64_t PopulationOf(const Section& section) { return section.population.value_or(std::ssize(section.rows)); }

std::string CountOf(const Section& section) {
  const std::string population = std::to_string(PopulationOf(section));
  return section.population ? std::to_string(section.rows.size()) + " drawn of " + population : population;
}

std::string Table(const Answers& report) {
  std::string out;
  for (const Section& section : report.sections) {
    if (!out.empty()) out += '\n';
    out += base::FormatFacts({{"report", report.name == section.name ? report.name : report.name + " " + section.name},
                              {"query", section.query},
                              {"population", CountOf(section)}});
    for (const std::string& note : section.notes) out += "note        " + base::Printable(note) + "\n";
    out += base::FormatTable(section.columns, section.rows);
  }
  return out;
}

// MemberName is a heading as the name of a JSON member: "LAST USED" is "last_used".
std::string MemberName(const std::string& heading) {
  std::string name;
  for (const char c : heading) name += c == ' ' ? '_' : (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c;
  return name;
}

void AppendRow(std::string& out, const Section& section, const base::Row& row) {
  out += '{';
  for (std::size_t i = 0; i < section.columns.size(); ++i) {
    if (i > 0) out += ',';
    base::AppendJsonString(out, MemberName(section.columns[i].heading));
    out += ':';
    const bool given = i < row.size() && !row[i].empty();
    if (given) base::AppendJsonString(out, base::Printable(row[i]));
    if (!given) out += "null";
  }
  out += '}';
}

void AppendSection(std::string& out, const Section& section) {
  out += R"({"name":)";
  base::AppendJsonString(out, section.name);
  out += R"(,"query":)";
  base::AppendJsonString(out, base::Printable(section.query));
  out += R"(,"population":)" + std::to_string(PopulationOf(section)) + R"(,"notes":[)";
  for (const std::string& note : section.notes) {
    if (&note != &section.notes.front()) out += ',';
    base::AppendJsonString(out, base::Printable(note));
  }
  out += R"(],"rows":[)";
  for (const base::Row& row : section.rows) {
    if (&row != &section.rows.front()) out += ',';
    AppendRow(out, section, row);
  }
  out += "]}";
}

std::string Json(const Answers& report) {
  std::string out = R"({"report":)";
  base::AppendJsonString(out, report.name);
  out += R"(,"sections":[)";
  for (const Section& section : report.sections) {
    if (&section != &report.sections.front()) out += ',';
    AppendSection(out, section);
  }
  return out + "]}\n";
}

std::string SafeCell(const std::string& cell) {
  std::string safe = base::Printable(cell);
  if (!safe.empty() && std::string_view("=+-@").find(safe.front()) != std::string_view::npos) safe.insert(0, "'");
  return safe;
}

base::Row SafeRow(base::Row row, std::size_t columns) {
  row.resize(columns);
  for (std::string& cell : row) cell = SafeCell(cell);
  return row;
}

std::string Csv(const Answers& report) {
  const bool one = report.sections.size() == 1;
  std::vector<base::Row> lines;
  for (const Section& section : report.sections) {
    for (std::size_t i = 0; i < section.rows.size(); ++i) {
      const base::Row row = SafeRow(section.rows[i], section.columns.size());
      if (one) lines.push_back(row);
      for (std::size_t k = 0; !one && k < row.size(); ++k) {
        lines.push_back({section.name, std::to_string(i + 1), section.columns[k].heading, row[k]});
      }
    }
  }
  return base::FormatCsv(one ? report.sections.front().columns
                             : std::vector<base::Column>{{"SECTION"}, {"ROW"}, {"COLUMN"}, {"VALUE"}}, lines);
}

}  // namespace

void Draw(Section& section, std::int64_t size, const std::string& seed) {
  struct Lot {
    Hash hash;
    std::size_t row;
  };
  section.population = std::ssize(section.rows);
  std::vector<Lot> lots;
  for (std::size_t i = 0; i < section.rows.size(); ++i) {
    lots.push_back({HashLeaf(seed + "\n" + base::CsvLine(SafeRow(section.rows[i], section.columns.size()))), i});
  }
  std::ranges::stable_sort(lots, {}, &Lot::hash);
  lots.resize(std::min(lots.size(), static_cast<std::size_t>(size)));
  std::ranges::sort(lots, {}, &Lot::row);
  std::vector<base::Row> drawn;
  for (const Lot& lot : lots) drawn.push_back(std::move(section.rows[lot.row]));
  section.rows = std::move(drawn);
}

std::string FormatReport(const Answers& report, ReportStyle style) {
  switch (style) {
    case ReportStyle::kTable: return Table(report);
    case ReportStyle::kJson: return Json(report);
    case ReportStyle::kCsv: break;
  }
  return Csv(report);
}

}  // namespace strongroom::audit
