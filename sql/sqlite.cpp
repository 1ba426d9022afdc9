#include "sql/sqlite.h"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "sql/dialect.h"
#include "sql/sqlite_vfs.h"
#include "sql/sqlite_connection.h"
#include "sql/sqlite_file.h"

namespace strongroom::sql {

// Connecting.

Result<void> SqliteDatabase::Connect() {
  if (options_.access == Access::kCreate) TRY(CreateFile(path_, options_.mode));
  TRY(CheckFile(path_));
  auto result = OpenHandle();
  if (result) result = Configure();
  if (result) return {};
  Close();
  if (options_.access == Access::kReadOnly && HasStrandedLog(path_)) {
    return Fail(Code::kUnavailable, "there is a write-ahead log beside it (-wal), which cannot be read where the directory cannot be written to: "
                                    "copy both files into a directory that can be");
  }
  return result;
}

Result<void> SqliteDatabase::OpenHandle() {
  const int access = options_.access == Access::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  // One thread at a time uses a Database, so SQLite's own mutex would only cost.
  const int flags = access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE;
  TRY_ASSIGN(const char* const vfs, GatheringVfs());
  const bool frozen = options_.access == Access::kReadOnly && IsFrozen(path_);
  const int code = frozen ? sqlite3_open_v2(FrozenUri(path_).c_str(), &handle_, flags | SQLITE_OPEN_URI, vfs)
                          : sqlite3_open_v2(path_.c_str(), &handle_, flags, vfs);
  ++connections_;
  if (code == SQLITE_OK) return {};
  if (handle_ != nullptr &&
      (sqlite3_system_errno(handle_) == EACCES || sqlite3_system_errno(handle_) == EPERM)) {
    return Fail(Code::kPermissionDenied, "no permission to the database file", code);
  }
  return Fail(Failed(code));
}

Result<void> SqliteDatabase::Configure() {
  const std::int64_t busy = std::clamp<std::int64_t>(options_.busy_ms, 0, INT_MAX);
  sqlite3_busy_timeout(handle_, static_cast<int>(busy));
  // A schema that somebody else edited may not run functions of its own, nor write to SQLite's own tables.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  // The first statement that reads the file: it is here that a file which is no database shows.
  TRY(Command("SELECT COUNT(*) FROM sqlite_master"));
  TRY(Command("PRAGMA temp_store = MEMORY"));
  if (options_.access == Access::kReadOnly) return {};
  TRY(UseWriteAheadLog());
  TRY(Command("PRAGMA synchronous = FULL"));
  TRY(Command("PRAGMA cache_spill = OFF"));  // sql/sqlite_vfs.h
  // A log that a burst has grown is cut back at its next restart.
  TRY(Command("PRAGMA journal_size_limit = 67108864"));
  if (options_.erase_freed) TRY(Command("PRAGMA secure_delete = ON"));
  if (options_.checkpoint_elsewhere) TRY(Command("PRAGMA wal_autocheckpoint = 0"));
  return {};
}

Result<void> SqliteDatabase::UseWriteAheadLog() {
  const auto deadline = base::MonoMicros() + options_.busy_ms * base::kMicrosPerMilli;
  while (true) {
    // The change of mode does not go through the busy timeout where two processes make it at the same time.
    const auto changed = Command("PRAGMA journal_mode = WAL");
    if (changed) break;
    if (changed.error().number() % 256 != SQLITE_BUSY || base::MonoMicros() >= deadline) return changed;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  TRY_ASSIGN(Statement * mode, QueryOne("PRAGMA journal_mode"));
  const bool is_wal = mode != nullptr && mode->Text(0) == "wal";
  if (mode != nullptr) mode->Reset();
  if (!is_wal) return Fail(Code::kUnavailable, "the file system does not support a write-ahead log");
  return {};
}

void SqliteDatabase::Close() {
  for (auto& [text, statement] : statements_) statement->Finalize();
  sqlite3_close_v2(handle_);
  handle_ = nullptr;
  in_transaction_ = false;
}

Result<void> SqliteDatabase::Reconnect() {
  Close();
  const Access access = options_.access;
  // A file that has gone since is an error, never a new empty database.
  if (access == Access::kCreate) options_.access = Access::kReadWrite;
  auto result = Connect();
  options_.access = access;
  return result;
}

// Running.

Error SqliteDatabase::Failed(int code) const {
  if (handle_ == nullptr) return SqliteError(code);
  const int extended = sqlite3_extended_errcode(handle_);
  return SqliteError((extended & 0xff) == (code & 0xff) ? extended : code);
}

Result<void> SqliteDatabase::CheckUsable() const {
  if (handle_ == nullptr) return Fail(Code::kUnavailable, "the database is not open");
  // SQLite ends a transaction itself on a full disk or an I/O error. What follows in it must not be committed
  // alone.
  if (in_transaction_ && sqlite3_get_autocommit(handle_) != 0) {
    return Fail(Code::kUnavailable,
                "the database has ended the transaction after an earlier error: roll it back");
  }
  return {};
}

Result<void> SqliteDatabase::Command(const char* text) {
  const int code = sqlite3_exec(handle_, text, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return Fail(Failed(code));
  return {};
}

Result<Statement*> SqliteDatabase::Prepare(Sql text) {
  TRY(CheckUsable());
  auto found = statements_.find(text.view());
  if (found == statements_.end()) {
    found = statements_.emplace(text.view(), std::make_unique<SqliteStatement>(*this, text.view())).first;
  }
  TRY(found->second->PrepareOnce());
  return found->second.get();
}

Result<void> SqliteDatabase::Begin() {
  if (in_transaction_) return Fail(Code::kInternal, "transactions do not nest");
  // IMMEDIATE takes the writer's lock now: a deferred transaction that upgrades later dies without a wait.
  const bool reads_only = options_.access == Access::kReadOnly;
  TRY_ASSIGN(Statement * begin, reads_only ? Prepare("BEGIN") : Prepare("BEGIN IMMEDIATE"));
  TRY(begin->Run({}));
  in_transaction_ = true;
  data_version_.reset();
  return {};
}

Result<void> SqliteDatabase::Commit() {
  if (!in_transaction_) return Fail(Code::kInternal, "there is no transaction to commit");
  TRY_ASSIGN(Statement * commit, Prepare("COMMIT"));
  TRY(commit->Run({}));
  in_transaction_ = false;
  return {};
}

Result<void> SqliteDatabase::Rollback() {
  if (!in_transaction_) return {};
  in_transaction_ = false;
  if (handle_ == nullptr || sqlite3_get_autocommit(handle_) != 0) return {};
  TRY_ASSIGN(Statement * rollback, Prepare("ROLLBACK"));
  return rollback->Run({});
}

Result<void> SqliteDatabase::RunScript(std::string_view script) {
  TRY(CheckUsable());
  // sqlite3_exec goes from statement to statement and stops at the first that fails.
  return Command(std::string(script).c_str());
}

// Nobody else commits into a transaction's snapshot, so one question each is enough. SQLite counts in 32 bits, and from
// anywhere on each handle.
Result<std::int64_t> SqliteDatabase::DataVersion() {
  if (in_transaction_ && data_version_) return *data_version_;
  TRY_ASSIGN(Statement * row, QueryOne("PRAGMA data_version"));
  if (row == nullptr) return Fail(Code::kInternal, "SQLite tells no data version");
  const std::int64_t version = (connections_ << 32) + (row->Int64(0) & 0xffff'ffff);
  row->Reset();
  if (in_transaction_) data_version_ = version;
  return version;
}

Result<void> SqliteDatabase::Checkpoint() {
  TRY(CheckUsable());
  const int code = sqlite3_wal_checkpoint_v2(handle_, "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  // Busy: somebody else is at it, which is as good.
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) return Fail(Failed(code));
  return {};
}

Result<std::unique_ptr<Database>> OpenSqlite(const std::string& path, const OpenOptions& options) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return Fail(Code::kInvalidArgument, "a database URL names a file: sqlite:/path");
  }
  // With a directory in front, no name means something special to SQLite (":memory:", "file:…?…").
  auto database = std::make_unique<SqliteDatabase>(path.find('/') == 0 ? path : "./" + path, options);
  TRY(database->Connect());
  return database;
}

}  // namespace strongroom::sql
