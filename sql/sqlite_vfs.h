// A write-ahead log that is written in few, large writes: SQLite writes each frame as two small ones, and a commit of a
// few rows is some forty.
#pragma once

#include "base/result.h"

namespace strongroom::sql {

// GatheringVfs registers, once for the process, a VFS over SQLite's default one, and returns its name for sqlite3_open_v2.
// It differs in the write-ahead log alone: writes that follow each other are held until the log is synced, read, or
// anything else is done with it, and reach the file as one. What is held is never part of a committed transaction, for
// SQLite syncs the log before it publishes a commit's frames; that takes `synchronous = FULL`, and files whose writes leave
// the bytes beside alone (SQLite's default on Unix; otherwise it pads behind the sync). A connection has to set
// `cache_spill = OFF` too: frames that were spilled by a transaction that is then rolled back would be held beyond its lock,
// and could be written over another connection's.
// kUnavailable where SQLite refuses it.
Result<const char*> GatheringVfs();

}  // namespace strongroom::sql
