// The ODBC engine: unixODBC to PostgreSQL through psqlodbcw. Only odbc*.cpp see the driver manager.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sql/database.h"

namespace strongroom::sql {

// OdbcHoldsPassword is whether a connection string has a password in it.
bool OdbcHoldsPassword(std::string_view connection);

// OpenOdbc connects with a DSN-less connection string; settings that exactness depends on are added where
// missing.
Result<std::unique_ptr<Database>> OpenOdbc(const std::string& connection, const OpenOptions& options);

}  // namespace strongroom::sql
