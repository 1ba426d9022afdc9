#include "sql/sqlite.h"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <optional>
#include <thread>
#include <unordered_map>

#include "base/clock.h"
#include "base/log.h"
#include "sql/dialect.h"
#include "sql/sqlite_file.h"

namespace strongroom::sql {
namespace {

class SqliteDatabase;

class SqliteStatement final : public Statement {
 public:
  SqliteStatement(SqliteDatabase& database, std::string_view text) : database_(database), text_(text) {}
  ~SqliteStatement() override { Finalize(); }
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

  Result<void> PrepareOnce();
  void Finalize();

  Result<void> Run(std::span<const Parameter> parameters) override;
  Result<bool> Next() override;
  void Reset() override;
  std::int64_t RowsChanged() const override { return changed_; }
  bool IsNull(int column) const override { return Type(column) == SQLITE_NULL; }
  std::int64_t Int64(int column) const override;
  double Double(int column) const override;
  std::string Text(int column) const override;
  Bytes Blob(int column) const override;

 private:
  int Type(int column) const;
  int Bind(int index, const Parameter& parameter);
  Result<void> Step();

  SqliteDatabase& database_;
  std::string_view text_;
  sqlite3_stmt* statement_ = nullptr;
  std::int64_t changed_ = 0;
  std::int64_t total_before_ = 0;
  bool active_ = false;   // stepped, not reset: it may hold a lock
  bool waiting_ = false;  // Run has already stepped to the row that Next will show
  bool on_row_ = false;
};

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase(std::string path, const OpenOptions& options) : path_(std::move(path)), options_(options) {}
  ~SqliteDatabase() override { Close(); }
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  Result<void> Connect();

  Engine engine() const override { return Engine::kSqlite; }
  Result<Statement*> Prepare(Sql text) override;
  Result<void> Begin() override;
  Result<void> Commit() override;
  Result<void> Rollback() override;
  bool in_transaction() const override { return in_transaction_; }
  Result<void> RunScript(std::string_view script) override;
  Result<void> Reconnect() override;
  Result<std::int64_t> DataVersion() override;
  Result<void> Checkpoint() override;

  sqlite3* handle() const { return handle_; }
  Result<void> CheckUsable() const;
  // Failed turns SQLite's code into our error.
  Error Failed(int code) const;

 private:
  void Close();
  Result<void> OpenHandle();
  Result<void> Configure();
  Result<void> UseWriteAheadLog();
  Result<void> Command(const char* text);

  std::string path_;
  OpenOptions options_;
  sqlite3* handle_ = nullptr;
  bool in_transaction_ = false;
  std::int64_t connections_ = 0;               // so many handles were opened
  std::optional<std::int64_t> data_version_;   // of the transaction at hand, once asked
  std::unordered_map<std::string_view, std::unique_ptr<SqliteStatement>> statements_;
};

// Statements.

Result<void> SqliteStatement::PrepareOnce() {
  if (statement_ != nullptr) return {};
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v3(database_.handle(), text_.data(), static_cast<int>(text_.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement_, &tail);
  if (code != SQLITE_OK) {
    const Error error = database_.Failed(code);
    // The text is a literal of ours, so what SQLite says about it holds no user's value.
    if (error.code() == Code::kInternal) {
      LogError("sql_statement_wrong", error,
               {{"sql", text_}, {"reason", sqlite3_errmsg(database_.handle())}});
    }
    return Fail(error);
  }
  const std::string_view rest = text_.substr(static_cast<std::size_t>(tail - text_.data()));
  if (statement_ != nullptr && rest.find_first_not_of(" ;\t\r\n") == std::string_view::npos) return {};
  Finalize();
  return Fail(Code::kInternal, "a statement's text holds none, or more than one");
}

void SqliteStatement::Finalize() {
  sqlite3_finalize(statement_);
  statement_ = nullptr;
  active_ = waiting_ = on_row_ = false;
}

int SqliteStatement::Bind(int index, const Parameter& parameter) {
  // A statement without columns is done after one step, so its views outlive it; others are read after Run
  // returned.
  const auto lifetime = sqlite3_column_count(statement_) == 0 ? SQLITE_STATIC : SQLITE_TRANSIENT;
  if (const auto* number = std::get_if<std::int64_t>(&parameter)) {
    return sqlite3_bind_int64(statement_, index, *number);
  }
  if (const auto* real = std::get_if<double>(&parameter))
    return sqlite3_bind_double(statement_, index, *real);
  // A null pointer would bind NULL: empty text and empty blobs point at something.
  if (const auto* text = std::get_if<std::string_view>(&parameter)) {
    const char* data = text->data() != nullptr ? text->data() : "";
    return sqlite3_bind_text64(statement_, index, data, text->size(), lifetime, SQLITE_UTF8);
  }
  if (const auto* blob = std::get_if<ByteView>(&parameter)) {
    const void* data = blob->data() != nullptr ? static_cast<const void*>(blob->data()) : "";
    return sqlite3_bind_blob64(statement_, index, data, blob->size(), lifetime);
  }
  return sqlite3_bind_null(statement_, index);
}

Result<void> SqliteStatement::Run(std::span<const Parameter> parameters) {
  if (statement_ == nullptr) return Fail(Code::kUnavailable, "the connection was opened anew: prepare again");
  TRY(database_.CheckUsable());
  Reset();
  TRY(CheckParameters(parameters, static_cast<std::size_t>(sqlite3_bind_parameter_count(statement_))));
  int index = 0;
  for (const Parameter& parameter : parameters) {
    if (const int code = Bind(++index, parameter); code != SQLITE_OK) return Fail(database_.Failed(code));
  }
  changed_ = 0;
  total_before_ = sqlite3_total_changes64(database_.handle());
  active_ = true;
  TRY(Step());
  waiting_ = on_row_;
  on_row_ = false;
  return {};
}

Result<void> SqliteStatement::Step() {
  const int code = sqlite3_step(statement_);
  on_row_ = code == SQLITE_ROW;
  if (on_row_) return {};
  if (code == SQLITE_DONE) {
    Reset();
    return {};
  }
  const Error error = database_.Failed(code);
  Reset();
  changed_ = 0;
  return Fail(error);
}

Result<bool> SqliteStatement::Next() {
  if (waiting_) {
    waiting_ = false;
    on_row_ = true;
    return true;
  }
  if (!active_) return false;
  TRY(Step());
  return on_row_;
}

void SqliteStatement::Reset() {
  if (!active_) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  active_ = waiting_ = on_row_ = false;
  // sqlite3_changes still tells of an earlier statement where this one changed nothing.
  sqlite3* handle = database_.handle();
  changed_ = sqlite3_total_changes64(handle) == total_before_ ? 0 : sqlite3_changes64(handle);
}

int SqliteStatement::Type(int column) const {
  if (!on_row_ || column < 0 || column >= sqlite3_data_count(statement_)) return SQLITE_NULL;
  return sqlite3_column_type(statement_, column);
}

std::int64_t SqliteStatement::Int64(int column) const {
  return Type(column) == SQLITE_INTEGER ? sqlite3_column_int64(statement_, column) : 0;
}

double SqliteStatement::Double(int column) const {
  const int type = Type(column);
  return type == SQLITE_FLOAT || type == SQLITE_INTEGER ? sqlite3_column_double(statement_, column) : 0.0;
}

std::string SqliteStatement::Text(int column) const {
  if (Type(column) != SQLITE_TEXT) return {};
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return data == nullptr ? std::string() : std::string(data, size);
}

Bytes SqliteStatement::Blob(int column) const {
  if (Type(column) != SQLITE_BLOB) return {};
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return data == nullptr ? Bytes() : Bytes(data, data + size);
}

// Connecting.

Result<void> SqliteDatabase::Connect() {
  if (options_.access == Access::kCreate) TRY(CreateFile(path_, options_.mode));
  TRY(CheckFile(path_));
  auto result = OpenHandle();
  if (result) result = Configure();
  if (!result) Close();
  return result;
}

Result<void> SqliteDatabase::OpenHandle() {
  const int access = options_.access == Access::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  // One thread at a time uses a Database, so SQLite's own mutex would only cost.
  const int flags = access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE;
  const int code = sqlite3_open_v2(path_.c_str(), &handle_, flags, nullptr);
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

}  // namespace

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
