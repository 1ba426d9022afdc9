// The SQLite engine: libsqlite3 itself (its ODBC driver corrupts BLOBs). Only sqlite.cpp sees the library.
#pragma once

#include <memory>
#include <string>

#include "sql/database.h"

namespace strongroom::sql {

// OpenSqlite opens the file at `path`, or creates it with exactly options.mode. Errors as Open.
Result<std::unique_ptr<Database>> OpenSqlite(const std::string& path, const OpenOptions& options);

}  // namespace strongroom::sql
