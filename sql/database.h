// Database: one connection to one database, by one of two engines. The rooms above never see a driver.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"

namespace strongroom::sql {

// Sql is statement text made of literals only: what a user typed can be bound, never concatenated.
// Parameters are written ?1, ?2 … on every engine (dialect.h rewrites them to the driver's markers). PostgreSQL must
// be able to tell a parameter's type: write CAST(?1 AS TEXT) IS NULL, not ?1 IS NULL.
class Sql {
 public:
  consteval Sql(const char* text) : text_(text) {}  // NOLINT: implicit on purpose
  constexpr std::string_view view() const { return text_; }

 private:
  std::string_view text_;
};

// Parameter is a value to bind. Text and blob are views: they must live until Run has returned. Text is UTF-8;
// PostgreSQL refuses text with a zero byte (kInvalidArgument), and NaN is refused everywhere.
using Parameter = std::variant<std::monostate, std::int64_t, double, std::string_view, ByteView>;

// Optional turns an optional number or text into a parameter that may be NULL.
inline Parameter Optional(const std::optional<std::int64_t>& value) {
  return value ? Parameter(*value) : Parameter(std::monostate{});
}
inline Parameter Optional(const std::optional<std::string>& value) {
  return value ? Parameter(std::string_view(*value)) : Parameter(std::monostate{});
}

enum class Engine : std::uint8_t { kSqlite, kPostgres };

// Statement is one prepared statement of a Database, owned by it and reused: get it, run it, read its rows, and do
// not keep it across another Prepare of the same text. Columns count from 0; reading a column as another type than
// it holds gives that type's empty value, NULL gives nullopt. Double also reads whole numbers.
class Statement {
 public:
  virtual ~Statement() = default;
  // Run binds every parameter (there must be exactly as many as the text names) and executes. Rows wait for Next.
  virtual Result<void> Run(std::span<const Parameter> parameters) = 0;
  // Next moves to the next row; false when there is none (the statement is then reset and holds no lock). Until then,
  // or until Reset, a reading on SQLite keeps the state it began with, and Begin after foreign commits is kConflict.
  virtual Result<bool> Next() = 0;
  // Reset ends the reading of rows early.
  virtual void Reset() = 0;
  // RowsChanged is what the last INSERT, UPDATE or DELETE touched; with RETURNING, once its rows are read or Reset.
  virtual std::int64_t RowsChanged() const = 0;

  virtual bool IsNull(int column) const = 0;
  virtual std::int64_t Int64(int column) const = 0;
  virtual double Double(int column) const = 0;
  virtual std::string Text(int column) const = 0;
  virtual Bytes Blob(int column) const = 0;

  std::optional<std::int64_t> OptionalInt64(int column) const {
    return IsNull(column) ? std::nullopt : std::optional(Int64(column));
  }
  std::optional<std::string> OptionalText(int column) const {
    return IsNull(column) ? std::nullopt : std::optional(Text(column));
  }
};

// Database is a connection. Not thread-safe: one thread at a time; not across fork. Errors: kUnavailable (busy, full,
// connection lost), kAlreadyExists (a unique or primary key), kRefused (another constraint), kConflict (deadlock or
// serialisation: run the transaction again), kPermissionDenied (read-only, or no right), kCorrupt (the file is damaged
// or no database), kInternal (our SQL is wrong, which is also logged). The number is SQLite's code or the SQLSTATE.
class Database {
 public:
  virtual ~Database() = default;
  virtual Engine engine() const = 0;
  // Prepare returns the cached statement for this text, preparing it the first time.
  virtual Result<Statement*> Prepare(Sql text) = 0;
  // Begin starts a writing transaction (BEGIN IMMEDIATE on SQLite; a reading one where access is kReadOnly); they do
  // not nest. After an error inside it PostgreSQL takes nothing but Rollback: write ON CONFLICT where one is expected.
  virtual Result<void> Begin() = 0;
  // Commit that fails has committed nothing and leaves the transaction to Rollback; but where the connection was lost
  // while it was under way (kUnavailable on PostgreSQL), only reading tells.
  virtual Result<void> Commit() = 0;
  // Rollback ends the transaction whatever state it is in, one already failed included.
  virtual Result<void> Rollback() = 0;
  virtual bool in_transaction() const = 0;
  // RunScript executes the statements of a schema file, one by one, outside a transaction of its own.
  virtual Result<void> RunScript(std::string_view script) = 0;
  // Reconnect opens the connection anew after kUnavailable; cached statements are prepared again when next asked for.
  virtual Result<void> Reconnect() = 0;
  // DataVersion changes whenever another connection committed, or this one was opened anew (SQLite); 0 where the engine
  // cannot tell. Inside a transaction it stays as it is.
  virtual Result<std::int64_t> DataVersion() = 0;
  // Checkpoint moves the write-ahead log into the database without blocking writers (SQLite); nothing elsewhere.
  virtual Result<void> Checkpoint() = 0;

  // Execute runs a statement for its effect and returns the rows it changed.
  Result<std::int64_t> Execute(Sql text, std::initializer_list<Parameter> parameters = {});
  // Query runs a statement and returns it before its first row.
  Result<Statement*> Query(Sql text, std::initializer_list<Parameter> parameters = {});
  // QueryOne is Query moved to its first row; nullptr where there is none. Reset it before the next write.
  Result<Statement*> QueryOne(Sql text, std::initializer_list<Parameter> parameters = {});
};

// Transaction begins in Start and rolls back in its destructor unless Commit succeeded.
class [[nodiscard]] Transaction {
 public:
  static Result<Transaction> Start(Database& database);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  ~Transaction();
  Result<void> Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

enum class Access : std::uint8_t { kReadWrite, kCreate, kReadOnly };

// OpenOptions: kCreate makes the SQLite file if it is missing. busy_ms bounds the wait for another writer (SQLite) or
// a lock (PostgreSQL). A created SQLite file gets `mode`, and its -wal and -shm with it; inline checkpoints are off
// where `checkpoint_elsewhere` (the owner calls Checkpoint from a thread). With `erase_freed` SQLite writes zeros over what is
// deleted or replaced, so that it does not stay in free parts of the file; its write-ahead log keeps older pages until they
// are written over. PostgreSQL: `node` is whose trail the view AUDIT_LOG shows on this connection, and `durable` refuses
// (kRefused) a server that may lose commits in a crash, at every connect anew; a SQLite file has one trail and loses none.
struct OpenOptions {
  Access access = Access::kReadWrite;
  std::int64_t busy_ms = 10'000;
  unsigned mode = 0600;
  bool checkpoint_elsewhere = false;
  bool erase_freed = false;
  std::string node = {};
  bool durable = false;
};

// Open connects to "sqlite:/path" (WAL, synchronous=FULL, foreign keys on) or "odbc:Driver=…;…" (PostgreSQL;
// Protocol=7.4-0 is added where missing). kNotFound where a SQLite file is missing and access is not kCreate.
Result<std::unique_ptr<Database>> Open(const std::string& url, const OpenOptions& options);

// CopyDatabase writes a new file that holds what the database held at one moment, while others go on using it (SQLite). The file
// is not there before, and not durable yet on return. kRefused on engines that have backup tools of their own.
Result<void> CopyDatabase(Database& database, const std::string& path);

// IsDiskFull is whether a call failed because the database's disk has no room.
bool IsDiskFull(const Error& error);

// HoldsPassword is whether somebody wrote a password into a database URL.
bool HoldsPassword(const std::string& url);

// Which schema a database holds: the vault's tables, or the work tables.
enum class Schema : std::uint8_t { kVault, kWork };

// SchemaScript is the CREATE script of sql/schema/ for an engine.
std::string_view SchemaScript(Schema schema, Engine engine);

// CreateSchema runs the script, and `fill` behind it, in one transaction and records its version. kAlreadyExists where it is
// there.
Result<void> CreateSchema(Database& database, Schema schema,
                          const std::function<Result<void>(Database&)>& fill = nullptr);
// CheckSchema is kCorrupt unless the database holds exactly this version of the schema.
Result<void> CheckSchema(Database& database, Schema schema);

}  // namespace strongroom::sql
