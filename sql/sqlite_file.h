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

// IsFrozen is true of a file on a read-only file system without a write-ahead log beside it: nobody changes it, and SQLite, which wants
// to put files of its own beside a database with such a log, cannot.
bool IsFrozen(const std::string& path);
// FrozenUri names such a file to sqlite3_open_v2 (SQLITE_OPEN_URI).
std::string FrozenUri(const std::string& path);

}  // namespace strongroom::sql
