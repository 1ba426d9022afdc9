#include "sql/database.h"

#include "sql/dialect.h"
#include "sql/odbc.h"
#include "sql/sqlite.h"

namespace strongroom::sql {
namespace {

constexpr std::int64_t kSchemaVersion = 5;

std::string_view SchemaName(Schema schema) {
  return schema == Schema::kVault ? "vault" : "work";
}

Result<bool> HasVersionTable(Database& database) {
  TRY_ASSIGN(Statement * row, database.QueryOne(CountVersionTables(database.engine())));
  const bool found = row != nullptr && row->Int64(0) > 0;
  if (row != nullptr) row->Reset();
  return found;
}

Result<void> CreateTables(Database& database, Schema schema) {
  TRY_ASSIGN(const bool exists, HasVersionTable(database));
  if (exists) return Fail(Code::kAlreadyExists, "the database holds a Strongroom schema already");
  TRY(database.RunScript(SchemaScript(schema, database.engine())));
  TRY(database.Execute("INSERT INTO SCHEMA_VERSION (SCHEMA_NAME, VERSION) VALUES (?1, ?2)",
                       {SchemaName(schema), kSchemaVersion}));
  return {};
}

}  // namespace

Result<std::int64_t> Database::Execute(Sql text, std::initializer_list<Parameter> parameters) {
  TRY_ASSIGN(Statement * statement, Query(text, parameters));
  // Rows that nobody reads (RETURNING) are read to their end: only then has SQLite committed, or failed to.
  while (true) {
    TRY_ASSIGN(const bool more, statement->Next());
    if (!more) return statement->RowsChanged();
  }
}

Result<Statement*> Database::Query(Sql text, std::initializer_list<Parameter> parameters) {
  TRY_ASSIGN(Statement * statement, Prepare(text));
  TRY(statement->Run({parameters.begin(), parameters.size()}));
  return statement;
}

Result<Statement*> Database::QueryOne(Sql text, std::initializer_list<Parameter> parameters) {
  TRY_ASSIGN(Statement * statement, Query(text, parameters));
  TRY_ASSIGN(const bool found, statement->Next());
  return found ? statement : nullptr;
}

Result<Transaction> Transaction::Start(Database& database) {
  TRY(database.Begin());
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept : database_(other.database_) {
  other.database_ = nullptr;
}

Transaction::~Transaction() {
  // A rollback that fails leaves a lost connection, whose transaction the engine ends itself.
  if (database_ != nullptr) static_cast<void>(database_->Rollback());
}

Result<void> Transaction::Commit() {
  CHECK(database_ != nullptr);
  TRY(database_->Commit());
  database_ = nullptr;
  return {};
}

Result<std::unique_ptr<Database>> Open(const std::string& url, const OpenOptions& options) {
  if (url.starts_with("sqlite:")) return OpenSqlite(url.substr(7), options);
  if (url.starts_with("odbc:")) return OpenOdbc(url.substr(5), options);
  return Fail(Code::kInvalidArgument, "a database URL begins with sqlite: or odbc:");
}

Result<void> CopyDatabase(Database& database, const std::string& path) {
  if (database.engine() != Engine::kSqlite) return Fail(Code::kRefused, "use the engine's own backup tools");
  TRY(database.Execute("VACUUM INTO ?1", {std::string_view(path)}));
  return {};
}

bool HoldsPassword(const std::string& url) { return url.starts_with("odbc:") && OdbcHoldsPassword(url.substr(5)); }

Result<void> CreateSchema(Database& database, Schema schema, const std::function<Result<void>(Database&)>& fill) {
  TRY_ASSIGN(Transaction transaction, Transaction::Start(database));
  TRY(CreateTables(database, schema));
  if (fill) TRY(fill(database));
  return transaction.Commit();
}

Result<void> CheckSchema(Database& database, Schema schema) {
  TRY_ASSIGN(const bool exists, HasVersionTable(database));
  if (!exists) return Fail(Code::kCorrupt, "this is no Strongroom database");
  const auto row =
      database.QueryOne("SELECT VERSION FROM SCHEMA_VERSION WHERE SCHEMA_NAME = ?1", {SchemaName(schema)});
  if (!row && row.error().code() == Code::kInternal) {
    return Fail(Code::kCorrupt, "this is no Strongroom database: its SCHEMA_VERSION is somebody else's");
  }
  if (!row) return Fail(row.error());
  if (*row == nullptr) return Fail(Code::kCorrupt, "this is no Strongroom database of the kind asked for");
  const std::int64_t version = (*row)->Int64(0);
  (*row)->Reset();
  if (version == kSchemaVersion) return {};
  return Fail(Code::kRefused, "the database has a schema version that this program does not know", version);
}

}  // namespace strongroom::sql
