#include <sql.h>
#include <sqlext.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "sql/odbc_connection.h"

namespace strongroom::sql {
namespace {

constexpr std::size_t kFirstPart = 4096;
constexpr std::size_t kMostPart = std::size_t{1} << 20;

// Shortest is the shortest text that reads back as the same number; the driver's own keeps 15 digits of a
// double.
template <typename Number>
std::string Shortest(Number number) {
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  return {buffer.data(), end};
}

template <typename Number>
Number ReadNumber(const std::string& text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

}  // namespace

Result<void> OdbcStatement::PrepareOnce() {
  if (handle_ != nullptr) return {};
  TRY_ASSIGN(markers_, RewriteMarkers(text_));
  if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, database_.handle(), &handle_))) {
    return Fail(Code::kUnavailable, "no memory for the database driver");
  }
  auto* text = reinterpret_cast<SQLCHAR*>(markers_.text.data());
  if (SQL_SUCCEEDED(SQLPrepare(handle_, text, static_cast<SQLINTEGER>(markers_.text.size())))) return {};
  const Error error = database_.Failed(handle_, text_);
  Finalize();
  return Fail(error);
}

void OdbcStatement::Finalize() {
  if (handle_ != nullptr) SQLFreeHandle(SQL_HANDLE_STMT, handle_);
  handle_ = nullptr;
  active_ = on_row_ = false;
  kinds_.clear();
  cells_.clear();
}

Result<void> OdbcStatement::Bind(std::size_t marker, const Parameter& parameter) {
  Argument& argument = arguments_[marker];
  argument = {"", "", SQL_NULL_DATA};
  SQLSMALLINT c_type = SQL_C_CHAR;
  SQLSMALLINT sql_type = SQL_VARCHAR;
  if (const auto* number = std::get_if<std::int64_t>(&parameter)) {
    argument.number = Shortest(*number);
    sql_type = SQL_BIGINT;
  } else if (const auto* real = std::get_if<double>(&parameter)) {
    argument.number = Shortest(*real);
    sql_type = SQL_DOUBLE;
  } else if (const auto* text = std::get_if<std::string_view>(&parameter)) {
    // The driver would cut it off there.
    if (text->find('\0') != std::string_view::npos) {
      return Fail(Code::kInvalidArgument, "a text holds a zero byte, which this database cannot store");
    }
    if (text->data() != nullptr) argument.data = text->data();
    argument.size = static_cast<long>(text->size());
    sql_type = SQL_LONGVARCHAR;
  } else if (const auto* blob = std::get_if<ByteView>(&parameter)) {
    if (blob->data() != nullptr) argument.data = blob->data();
    argument.size = static_cast<long>(blob->size());
    c_type = SQL_C_BINARY;
    sql_type = SQL_LONGVARBINARY;
  }
  if (!argument.number.empty()) {
    argument.data = argument.number.data();
    argument.size = static_cast<long>(argument.number.size());
  }
  const auto size = static_cast<SQLULEN>(std::max(argument.size, 1L));
  const SQLRETURN code =
      SQLBindParameter(handle_, static_cast<SQLUSMALLINT>(marker + 1), SQL_PARAM_INPUT, c_type, sql_type,
                       size, 0, const_cast<void*>(argument.data), static_cast<SQLLEN>(size), &argument.size);
  if (!SQL_SUCCEEDED(code)) return Fail(database_.Failed(handle_, text_));
  return {};
}

Result<void> OdbcStatement::Run(std::span<const Parameter> parameters) {
  if (handle_ == nullptr) return Fail(Code::kUnavailable, "the connection was opened anew: prepare again");
  TRY(database_.CheckUsable());
  Reset();
  TRY(CheckParameters(parameters, markers_.count));
  // Bound anew each time: the driver keeps lengths and addresses of the last execution.
  SQLFreeStmt(handle_, SQL_RESET_PARAMS);
  arguments_.resize(markers_.order.size());
  for (std::size_t marker = 0; marker < markers_.order.size(); ++marker) {
    TRY(Bind(marker, parameters[markers_.order[marker] - 1]));
  }
  changed_ = 0;
  return Execute();
}

Result<void> OdbcStatement::Execute() {
  const SQLRETURN code = SQLExecute(handle_);
  // A write that touches no row is SQL_NO_DATA, no error; after it the driver manager allows no fetch either.
  if (code == SQL_NO_DATA) {
    SQLFreeStmt(handle_, SQL_CLOSE);
    return {};
  }
  if (!SQL_SUCCEEDED(code)) {
    const Error error = database_.Failed(handle_, text_);
    SQLFreeStmt(handle_, SQL_CLOSE);
    return Fail(error);
  }
  active_ = true;
  SQLSMALLINT columns = 0;
  SQLNumResultCols(handle_, &columns);
  SQLLEN rows = 0;
  SQLRowCount(handle_, &rows);
  const bool writes = columns == 0 || text_.find("RETURNING") != std::string_view::npos;
  if (writes && rows > 0) changed_ = rows;
  if (columns == 0) {
    Reset();
    return {};
  }
  cells_.resize(static_cast<std::size_t>(columns));
  return DescribeColumns();
}

Result<void> OdbcStatement::DescribeColumns() {
  kinds_.assign(cells_.size(), Kind::kText);
  for (std::size_t column = 0; column < kinds_.size(); ++column) {
    SQLLEN type = 0;
    const SQLRETURN code = SQLColAttribute(handle_, static_cast<SQLUSMALLINT>(column + 1),
                                           SQL_DESC_CONCISE_TYPE, nullptr, 0, nullptr, &type);
    if (!SQL_SUCCEEDED(code)) return Fail(database_.Failed(handle_, text_));
    constexpr SQLLEN kNumbers[] = {SQL_BIT,     SQL_TINYINT, SQL_SMALLINT, SQL_INTEGER, SQL_BIGINT,
                                   SQL_NUMERIC, SQL_DECIMAL, SQL_REAL,     SQL_FLOAT,   SQL_DOUBLE};
    constexpr SQLLEN kBlobs[] = {SQL_BINARY, SQL_VARBINARY, SQL_LONGVARBINARY};
    if (std::ranges::find(kNumbers, type) != std::end(kNumbers)) kinds_[column] = Kind::kNumber;
    if (std::ranges::find(kBlobs, type) != std::end(kBlobs)) kinds_[column] = Kind::kBlob;
  }
  return {};
}

Result<bool> OdbcStatement::Next() {
  if (!active_) return false;
  const SQLRETURN code = SQLFetch(handle_);
  if (code == SQL_NO_DATA) {
    Reset();
    return false;
  }
  if (!SQL_SUCCEEDED(code)) {
    const Error error = database_.Failed(handle_, text_);
    Reset();
    return Fail(error);
  }
  for (std::size_t column = 0; column < cells_.size(); ++column) TRY(ReadCell(column));
  on_row_ = true;
  return true;
}

// ReadCell takes a value in parts, by the length the value itself reports: what a column is described as is
// wrong for values that have grown.
Result<void> OdbcStatement::ReadCell(std::size_t column) {
  Cell& cell = cells_[column];
  const bool is_blob = kinds_[column] == Kind::kBlob;
  const std::size_t terminator = is_blob ? 0 : 1;
  std::size_t filled = 0;
  cell.bytes.resize(kFirstPart);
  while (true) {
    char* part = cell.bytes.data() + filled;
    const std::size_t room = cell.bytes.size() - filled - terminator;
    SQLLEN left = 0;
    const SQLRETURN code =
        SQLGetData(handle_, static_cast<SQLUSMALLINT>(column + 1), is_blob ? SQL_C_BINARY : SQL_C_CHAR, part,
                   static_cast<SQLLEN>(room + terminator), &left);
    if (code == SQL_NO_DATA) break;
    if (!SQL_SUCCEEDED(code)) return Fail(database_.Failed(handle_, text_));
    cell.null = left == SQL_NULL_DATA;
    if (cell.null) break;
    const bool is_last = left >= 0 && static_cast<std::size_t>(left) <= room;
    // Text may be cut before a character that does not fit whole.
    const std::size_t got = is_blob ? room : ::strnlen(part, room);
    filled += is_last ? static_cast<std::size_t>(left) : got;
    if (is_last) break;
    const std::size_t rest = left > 0 ? static_cast<std::size_t>(left) - got : cell.bytes.size();
    cell.bytes.resize(filled + std::min(rest, kMostPart) + terminator);
  }
  cell.bytes.resize(cell.null ? 0 : filled);
  return {};
}

void OdbcStatement::Reset() {
  if (!active_) return;
  SQLFreeStmt(handle_, SQL_CLOSE);
  active_ = on_row_ = false;
  cells_.clear();
}

const OdbcStatement::Cell* OdbcStatement::CellAt(int column) const {
  if (!on_row_ || column < 0 || static_cast<std::size_t>(column) >= cells_.size()) return nullptr;
  const Cell& cell = cells_[static_cast<std::size_t>(column)];
  return cell.null ? nullptr : &cell;
}

const OdbcStatement::Cell* OdbcStatement::CellAt(int column, Kind kind) const {
  const Cell* cell = CellAt(column);
  return cell != nullptr && kinds_[static_cast<std::size_t>(column)] == kind ? cell : nullptr;
}

std::int64_t OdbcStatement::Int64(int column) const {
  const Cell* cell = CellAt(column, Kind::kNumber);
  return cell == nullptr ? 0 : ReadNumber<std::int64_t>(cell->bytes);
}

double OdbcStatement::Double(int column) const {
  const Cell* cell = CellAt(column, Kind::kNumber);
  return cell == nullptr ? 0.0 : ReadNumber<double>(cell->bytes);
}

std::string OdbcStatement::Text(int column) const {
  const Cell* cell = CellAt(column, Kind::kText);
  return cell == nullptr ? std::string() : cell->bytes;
}

Bytes OdbcStatement::Blob(int column) const {
  const Cell* cell = CellAt(column, Kind::kBlob);
  if (cell == nullptr) return {};
  const ByteView bytes = base::AsBytes(cell->bytes);
  return {bytes.begin(), bytes.end()};
}

}  // namespace strongroom::sql
