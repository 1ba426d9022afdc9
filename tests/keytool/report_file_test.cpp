// The file of a recovery's reports: what may be gone on with, and what is never written over.
#include "keytool/report_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/files.h"
#include "keytool/recovery_report.h"
#include "keytool/whole_file.h"
#include "tests/keytool/command.h"

// After our headers: its CHECK replaces ours.
#include <catch2/catch.hpp>

namespace strongroom::keytool {
namespace {

namespace fs = std::filesystem;

const std::string kAcme = "ACME/anthropic/default/1", kBarco = "BARCO/openai/prod-eu/12", kHouse = "HOUSE/anthropic/default/3";

std::string ReportOf(const std::string& key_ref, std::int64_t failed) {
  RecoveryReport report{};
  report.row.key_ref = key_ref;
  report.row.customer = key_ref.substr(0, key_ref.find('/'));
  report.row.stopped_as = "REVOKED";
  report.row.calls_failed = failed;
  report.suspended = {"A\nB", "recovery of ACME's key " + kAcme};
  for (std::int64_t call = 0; call < failed; ++call) report.failed.left[""].push_back("request-" + std::to_string(call) + std::string(40, '\n'));
  return report.Text();
}

Reports ReportsOf(const std::vector<std::string>& key_refs, std::int64_t failed) {
  Reports reports;
  for (const std::string& key_ref : key_refs) reports[key_ref] = ReportOf(key_ref, failed);
  return reports;
}

// Place is a name for a report, and what is there.
struct Place {
  std::string Content() const {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  void Put(const std::string& content) const { std::ofstream(path, std::ios::binary | std::ios::trunc) << content; }
  // Refusal is the name of what CheckReportFile and WriteReportFile say, both the same; "" where they do it.
  std::string Refusal() const {
    const auto checked = CheckReportFile(path);
    const auto written = WriteReportFile(path, ReportsOf({kAcme}, 1));
    CHECK(checked.has_value() == written.has_value());
    CHECK_FALSE(fs::exists(path + ".part"));
    return checked ? "" : checked.error().name;
  }
  Home home;
  std::string path = home.path() + ".report";
};

}  // namespace

TEST_CASE("report file: reports are taken apart and put together again, cut off anywhere they are not") {
  const Reports reports = ReportsOf({kAcme, kBarco, kHouse}, 12);
  const std::string text = PrintReports(reports);
  CHECK(ParseReports(text) == reports);
  CHECK(ParseReports(reports.at(kHouse) + reports.at(kAcme)) == ReportsOf({kAcme, kHouse}, 12));
  for (std::size_t length = 0; length < text.size(); ++length) {
    const auto read = ParseReports(text.substr(0, length));
    if (read && PrintReports(*read) != text.substr(0, length)) FAIL(length);
    if (text[length == 0 ? 0 : length - 1] != '\n' && read) FAIL(length);
  }
}

TEST_CASE("report file: what has anything else in it is not written over") {
  const Place place;
  const std::string report = ReportOf(kAcme, 2), title = "recovery of ACME's key " + kAcme + "\n";
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string("sk-ant-0123456789\n"), title, title + "  by hand\n", "Dear ACME,\n" + report, report + "Yours\n", report + "\n", report + "  x",
        report + report, report + title, "recovery of BARCO's key " + kAcme + report.substr(title.size() - 1), "recovery of ACME's key ACME/anthropic/default/0" + report.substr(title.size() - 1),
        "recovery of ACME's key " + report.substr(title.size() - 1), "  stopped  now\n" + report, " " + report}) {
    INFO(text);
    place.Put(text);
    CHECK(place.Refusal() == "FILE_EXISTS");
    CHECK(place.Content() == text);
  }
}

TEST_CASE("report file: other keys' reports are kept, however many, and those of the same keys are replaced") {
  const Place place;
  std::vector<std::string> keys;
  for (int version = 1; version <= 300; ++version) keys.push_back("ACME/openai/default/" + std::to_string(version));
  const Reports many = ReportsOf(keys, 11);
  CHECK(CheckReportFile(place.path).has_value());
  CHECK(WriteReportFile(place.path, many) == 0U);
  CHECK(place.Content() == PrintReports(many));
  CHECK(CheckReportFile(place.path).has_value());
  CHECK(WriteReportFile(place.path, ReportsOf({keys.front(), kBarco}, 3)) == 299U);
  Reports then = many;
  then[keys.front()] = ReportOf(keys.front(), 3);
  then[kBarco] = ReportOf(kBarco, 3);
  CHECK(ParseReports(place.Content()) == then);
  CHECK(WriteReportFile(place.path, then) == 0U);
  CHECK(place.Content() == PrintReports(then));
  CHECK((fs::status(place.path).permissions() & fs::perms::mask) == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("report file: what is no plain file, too large, or nowhere, is refused, and keeps nobody") {
  const Place place;
  const std::string target = place.home.File("target", ReportOf(kAcme, 1));
  fs::create_symlink(target, place.path);
  CHECK(place.Refusal() == "FILE_EXISTS");
  CHECK(fs::is_symlink(place.path));
  fs::remove(target);
  CHECK(place.Refusal() == "FILE_EXISTS");
  fs::remove(place.path);
  REQUIRE(mkfifo(place.path.c_str(), 0600) == 0);
  CHECK(place.Refusal() == "FILE_EXISTS");
  fs::remove(place.path);
  fs::create_directory(place.path);
  CHECK(place.Refusal() == "FILE_EXISTS");
  fs::remove(place.path);
  place.Put(ReportOf(kAcme, 1) + "  ");
  fs::resize_file(place.path, (64U << 20) + 1);
  CHECK(place.Refusal() == "FILE_EXISTS");
  CHECK(CheckReportFile(place.path + ".d/report").error().name == "FILE_FAILED");
  CHECK_FALSE(WriteReportFile(place.path + ".d/report", ReportsOf({kAcme}, 1)));
}

TEST_CASE("report file: what came there since it was checked is kept, and so is what another run writes") {
  const Place place;
  REQUIRE(CheckReportFile(place.path).has_value());
  place.Put("somebody's\n");
  CHECK(WriteReportFile(place.path, ReportsOf({kAcme}, 1)).error().name == "FILE_EXISTS");
  CHECK(place.Content() == "somebody's\n");
  place.Put(ReportOf(kBarco, 1));
  CHECK(WriteReportFile(place.path, ReportsOf({kAcme}, 1)) == 1U);
  CHECK(ParseReports(place.Content()) == ReportsOf({kAcme, kBarco}, 1));
  {
    const auto other = base::LockFile(place.path + ".part");
    REQUIRE(other.has_value());
    CHECK(WriteReportFile(place.path, ReportsOf({kHouse}, 1)).error().name == "FILE_BUSY");
    CHECK(fs::exists(place.path + ".part"));
  }
  CHECK(WriteReportFile(place.path, ReportsOf({kHouse}, 1)) == 2U);
}

TEST_CASE("whole file: it takes no other's part, leaves none, and no name that is taken") {
  const Place place;
  const std::string part = place.path + ".part", other = place.home.File("other", "theirs");
  fs::create_hard_link(other, part);
  CHECK(WholeFile("--out", place.path).Open().error().name == "FILE_FAILED");
  CHECK(fs::file_size(other) == 6);
  fs::remove(part);
  std::ofstream(part) << "what an interrupted run has left";
  {
    WholeFile file("--out", place.path);
    REQUIRE(file.Open().has_value());
    REQUIRE(file.Add(std::string(3U << 20, 'x')).has_value());
    REQUIRE(file.Add("end").has_value());
    CHECK(fs::file_size(part) == 3U << 20);
    place.Put("first");
    const auto late = file.Finish(base::Replace::kNo);
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().name == "ALREADY_EXISTS");
    CHECK(place.Content() == "first");
    REQUIRE(file.Finish(base::Replace::kYes).has_value());
  }
  CHECK(place.Content() == std::string(3U << 20, 'x') + "end");
  CHECK_FALSE(fs::exists(part));
  CHECK(WholeFile("--out", place.path).Open().has_value());
  CHECK_FALSE(fs::exists(part));
}

}  // namespace strongroom::keytool
