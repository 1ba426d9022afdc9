// The classes behind odbc.h, private to odbc*.cpp. ODBC handles are void*, so no driver header is needed
// here.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sql/database.h"
#include "sql/dialect.h"

namespace strongroom::sql {

class OdbcDatabase;

class OdbcStatement final : public Statement {
 public:
  OdbcStatement(OdbcDatabase& database, std::string_view text) : database_(database), text_(text) {}
  ~OdbcStatement() override { Finalize(); }
  OdbcStatement(const OdbcStatement&) = delete;
  OdbcStatement& operator=(const OdbcStatement&) = delete;

  Result<void> PrepareOnce();
  void Finalize();

  Result<void> Run(std::span<const Parameter> parameters) override;
  Result<bool> Next() override;
  void Reset() override;
  std::int64_t RowsChanged() const override { return changed_; }
  bool IsNull(int column) const override { return CellAt(column) == nullptr; }
  std::int64_t Int64(int column) const override;
  double Double(int column) const override;
  std::string Text(int column) const override;
  Bytes Blob(int column) const override;

 private:
  enum class Kind : std::uint8_t { kNumber, kText, kBlob };
  // Argument holds what the driver reads during an execution: it must not move until that has ended.
  struct Argument {
    std::string number;
    const void* data = nullptr;
    long size = 0;
  };
  struct Cell {
    bool null = true;
    std::string bytes;
  };

  Result<void> Bind(std::size_t marker, const Parameter& parameter);
  Result<void> Execute();
  Result<void> DescribeColumns();
  Result<void> ReadCell(std::size_t column);
  // CellAt is nullptr for NULL, for a column that is not there, and before the first row.
  const Cell* CellAt(int column) const;
  const Cell* CellAt(int column, Kind kind) const;

  OdbcDatabase& database_;
  std::string_view text_;
  Markers markers_;
  void* handle_ = nullptr;
  std::vector<Argument> arguments_;
  std::vector<Kind> kinds_;
  std::vector<Cell> cells_;
  std::int64_t changed_ = 0;
  bool active_ = false;
  bool on_row_ = false;
};

class OdbcDatabase final : public Database {
 public:
  OdbcDatabase(std::string connection, const OpenOptions& options);
  ~OdbcDatabase() override { Close(); }
  OdbcDatabase(const OdbcDatabase&) = delete;
  OdbcDatabase& operator=(const OdbcDatabase&) = delete;

  Result<void> Connect();

  Engine engine() const override { return Engine::kPostgres; }
  Result<Statement*> Prepare(Sql text) override;
  Result<void> Begin() override;
  Result<void> Commit() override;
  Result<void> Rollback() override;
  bool in_transaction() const override { return in_transaction_; }
  Result<void> RunScript(std::string_view script) override;
  Result<void> Reconnect() override;
  Result<std::int64_t> DataVersion() override { return 0; }
  Result<void> Checkpoint() override { return {}; }

  void* handle() const { return connection_; }
  Result<void> CheckUsable() const;
  // Failed reads what the driver says about a statement's failure, and marks the transaction as failed.
  Error Failed(void* statement, std::string_view text);

 private:
  void Close();
  Result<void> AllocateAndConnect();
  Result<void> SetUp();
  Result<void> CheckDurable();
  Result<void> Command(const std::string& text);
  bool IsDead() const;

  std::string connection_string_;
  OpenOptions options_;
  void* environment_ = nullptr;
  void* connection_ = nullptr;
  void* command_ = nullptr;
  bool lost_ = false;
  bool in_transaction_ = false;
  std::optional<Error> failure_;  // the first error inside the transaction: it can only be rolled back
  std::unordered_map<std::string_view, std::unique_ptr<OdbcStatement>> statements_;
};

}  // namespace strongroom::sql
