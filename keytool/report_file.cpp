#include "keytool/report_file.h"

#include <sys/stat.h>

#include <utility>

#include "base/files.h"
#include "keytool/recovery_report.h"
#include "keytool/ticket_files.h"
#include "keytool/whole_file.h"
#include "vault/key_ref.h"

namespace strongroom::keytool {
namespace {

constexpr const char* kFlag = "--report";
constexpr std::size_t kMostBytes = 64U << 20;  // a report has about a kilobyte

// KeyOf is the KEY_REF of a report's first line; nullopt for any other line.
std::optional<std::string> KeyOf(std::string_view line) {
  const auto key = vault::KeyRef::Parse(line.substr(line.rfind(' ') + 1));
  if (!key || line != ReportTitle(key->customer(), key->text())) return std::nullopt;
  return key->text();
}

// Read is nullopt where nothing is there. A link is not followed: it is what would be replaced, not the reports behind it.
Outcome<std::optional<Reports>> Read(const std::string& path) {
  struct stat facts {};
  if (lstat(path.c_str(), &facts) != 0) return std::nullopt;
  if (S_ISREG(facts.st_mode)) {
    const auto text = base::ReadFile(path, kMostBytes);
    if (auto reports = text ? ParseReports(*text) : std::nullopt) return reports;
  }
  return Failed("FILE_EXISTS", std::string(kFlag) + " " + path + ": what is there is not reports of recoveries alone, and is not written over; name another file");
}

}  // namespace

std::optional<Reports> ParseReports(std::string_view text) {
  Reports reports;
  std::string* report = nullptr;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (const auto key_ref = KeyOf(line)) {
      const auto [at, is_new] = reports.try_emplace(*key_ref);
      if (!is_new || !text.starts_with(kReportFacts)) return std::nullopt;
      report = &at->second;
    } else if (report == nullptr || !line.starts_with("  ")) {
      return std::nullopt;
    }
    report->append(line).append("\n");
  }
  if (reports.empty()) return std::nullopt;
  return reports;
}

std::string PrintReports(const Reports& reports) {
  std::string text;
  for (const auto& [key_ref, report] : reports) text += report;
  return text;
}

Outcome<void> CheckReportFile(const std::string& path) {
  TRY_ASSIGN(const auto there, Read(path));
  return there ? Outcome<void>() : CheckNewFile(kFlag, path);
}

Outcome<std::size_t> WriteReportFile(const std::string& path, const Reports& reports) {
  WholeFile file(kFlag, path);
  TRY(file.Open());
  TRY_ASSIGN(const auto there, Read(path));
  Reports all = reports;
  if (there) all.insert(there->begin(), there->end());
  TRY(file.Add(PrintReports(all)));
  TRY(file.Finish(there ? base::Replace::kYes : base::Replace::kNo));
  return all.size() - reports.size();
}

}  // namespace strongroom::keytool
