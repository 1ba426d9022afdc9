#include "keytool/uses_file.h"

#include <algorithm>

#include "base/files.h"
#include "keytool/document.h"
#include "keytool/key_trail.h"
#include "keytool/output.h"
#include "keytool/ticket_files.h"
#include "keytool/whole_file.h"
#include "vault/key_trail.h"

namespace strongroom::keytool {
namespace {

constexpr const char* kFlag = "--out";

std::string Header(const std::string& key_ref, base::Micros since, const std::string& checkpoint) {
  JsonLine line;
  line.Text("format", "strongroom-uses-1").Text("key_ref", key_ref).Text("since", base::FormatTime(since)).Text("checkpoint", checkpoint);
  return line.Str();
}

}  // namespace

std::string UsesFileName(const std::string& key_ref, base::Micros now) {
  std::string name = "uses-" + key_ref + "-" + base::FormatTime(now).substr(0, sizeof "2026-11-20T08:00:00" - 1) + "Z.jsonl";
  std::ranges::replace(name, '/', '-');
  std::erase(name, ':');
  return name;
}

Outcome<UsesReport> WriteUses(const Session& session, const std::string& key_ref, base::Micros since, const std::string& file) {
  TRY(CheckNewFile(kFlag, file));
  WholeFile out(kFlag, file);
  TRY(out.Open());
  TRY_ASSIGN(const std::string checkpoint, session.AskText(vault::Operation::kSignCheckpoint, {}, "a checkpoint to prove the uses against"));
  TRY(out.Add(Header(key_ref, since, checkpoint) + "\n"));
  UsesReport report;
  report.file = file;
  const TrailQuestion question{key_ref, std::string(vault::kUsesOfKey), since, checkpoint};
  TRY_ASSIGN(report.held_from, EachTrailRow(session, question, [&](const std::string& row) {
    ++(ReadMember(row, "fault").empty() ? report.uses : report.unproven);
    return out.Add(row + "\n");
  }));
  TRY(out.Add(JsonLine().Number("uses", report.uses).Number("unproven", report.unproven).Str() + "\n"));
  TRY(out.Finish(base::Replace::kNo));
  return report;
}

Outcome<void> CheckProven(const Session& session, const UsesReport& report) {
  if (report.unproven == 0) return {};
  return Failed("USES_NOT_PROVEN", std::to_string(report.unproven) + " of the uses in " + report.file +
                                       " could not be proven: the vault's database was altered; keep the file and a copy of the database, and see " +
                                       Command(session.context(), {"auditlog verify"}));
}

std::string VerifyCommand(const std::string& file) { return "`" + ShownCommand{"auditlog verify --uses", file, "--vkey KEY"}.text() + "`"; }

}  // namespace strongroom::keytool
