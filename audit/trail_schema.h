// The tables that a trail is read from, in a file that somebody else may have made.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "sql/database.h"

namespace strongroom::audit {

// FindOddSchema is what is no table of ours, for a person: a view or a virtual table, whose answers may be others each time, or a table
// without the columns and indexes of sql/schema/vault.sqlite.sql. nullopt where all is, and of a server, whose schema is its own affair.
Result<std::optional<std::string>> FindOddSchema(sql::Database& database);

// FindStray is what no program of ours wrote beside the records, for a person: a second head, a tile that is none of this trail's.
Result<std::optional<std::string>> FindStray(sql::Database& database);

}  // namespace strongroom::audit
