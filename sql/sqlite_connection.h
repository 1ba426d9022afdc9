// The connection and its statements on SQLite: shared by sqlite.cpp and sqlite_statement.cpp alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "sql/database.h"

struct sqlite3;
struct sqlite3_stmt;

namespace strongroom::sql {

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

}  // namespace strongroom::sql
