#include <sqlite3.h>

#include "base/log.h"
#include "sql/dialect.h"
#include "sql/sqlite_connection.h"

namespace strongroom::sql {

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

}  // namespace strongroom::sql
