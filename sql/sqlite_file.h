// A SQLite database as a file, before the library sees it.
#pragma once

#include <string>

#include "base/result.h"

namespace strongroom::sql {

// CreateFile makes the empty file with exactly this mode before SQLite sees it: -wal and -shm inherit the
// mode. A file that is there already is left alone. Its name is durable on return.
Result<void> CreateFile(const std::string& path, unsigned mode);

// CheckFile is kNotFound where the path names nothing, kCorrupt where it names no regular file. It looks at
// the name only: to open and close the file would drop every lock another connection of this process holds on
// it (POSIX).
Result<void> CheckFile(const std::string& path);

// IsFrozen is true of a file without a write-ahead log beside it, in a directory that we may not write to: SQLite, which wants to put files
// of its own beside a database of that mode, cannot. Where a log and its index are there, empty or not, somebody may be writing: then it
// is not frozen, and SQLite needs to make neither.
bool IsFrozen(const std::string& path);
// HasStrandedLog is true where there is a log beside the file, and no index of it, which SQLite cannot make there.
bool HasStrandedLog(const std::string& path);
// FrozenUri names such a file to sqlite3_open_v2 (SQLITE_OPEN_URI).
std::string FrozenUri(const std::string& path);

}  // namespace strongroom::sql
