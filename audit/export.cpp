#include "audit/export.h"

#include "audit/sequence.h"

namespace strongroom::audit {

Result<void> ExportRecords(sql::Database& database, std::int64_t from, std::optional<std::int64_t> to, OutFile& out) {
  TRY_ASSIGN(const std::int64_t last, LastSeq(database));
  if (from > last || to.value_or(last) > last) return Fail(Code::kNotFound, "there is no such record; the newest is", last);
  TRY_ASSIGN(std::optional<Pruned> pruned, FindPruned(database));
  LogSequence sequence(database, from, to.value_or(last), std::move(pruned));
  while (true) {
    TRY_ASSIGN(const std::optional<StoredRecord> record, sequence.Next());
    if (!record) return out.Finish();
    if (record->bytes.find('\n') != std::string::npos) {
      return Fail(Code::kCorrupt, "a record is not what was written: run auditlog verify", record->seq);
    }
    TRY(out.Write(record->bytes));
    TRY(out.Write("\n"));
  }
}

Result<void> ExportEvents(const std::vector<Log>& logs, std::optional<base::Micros> since, std::optional<base::Micros> until,
                          const LineOf& line, OutFile& out) {
  TRY_ASSIGN(MergedSequence sequence, MergedSequence::Start(logs, since, until));
  while (true) {
    TRY_ASSIGN(const std::optional<Entry> entry, sequence.Next());
    if (!entry) return out.Finish();
    TRY(out.Write(line(*entry)));
    TRY(out.Write("\n"));
  }
}

}  // namespace strongroom::audit
