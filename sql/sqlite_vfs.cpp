// A VFS shim (SQLite's term, sqlite.org/vfs.html): its files are SQLite's own but for the write-ahead log's xWrite.
#include "sql/sqlite_vfs.h"

#include <sqlite3.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

namespace strongroom::sql {
namespace {

// SQLite's unix VFS takes the length of a write modulo 128 KiB.
constexpr std::size_t kMostHeld = 120 * 1024;

// LogFile is what SQLite sees; the default VFS's own file lies behind it in the same allocation, which SQLite makes.
struct LogFile : sqlite3_file {
  sqlite3_file* inner = nullptr;
  std::unique_ptr<std::byte[]> held;
  std::size_t size = 0;       // bytes held
  sqlite3_int64 offset = 0;   // where in the file the first of them belongs
};

// InnerAt is where the inner file begins in that allocation.
constexpr std::size_t kInnerAt = (sizeof(LogFile) + alignof(std::max_align_t) - 1) / alignof(std::max_align_t) * alignof(std::max_align_t);

LogFile& Log(sqlite3_file* file) { return *static_cast<LogFile*>(file); }
sqlite3_file* Inner(sqlite3_file* file) { return Log(file).inner; }

// Flush forgets what it cannot write: SQLite rolls back, and writes those frames anew if at all.
int Flush(LogFile& log) {
  if (log.size == 0) return SQLITE_OK;
  const int size = static_cast<int>(log.size);
  log.size = 0;
  return log.inner->pMethods->xWrite(log.inner, log.held.get(), size, log.offset);
}

int Write(sqlite3_file* file, const void* data, int amount, sqlite3_int64 offset) {
  LogFile& log = Log(file);
  const auto bytes = static_cast<std::size_t>(amount);
  if (log.held == nullptr) log.held.reset(new (std::nothrow) std::byte[kMostHeld]);
  const bool follows = offset == log.offset + static_cast<sqlite3_int64>(log.size);
  if (!follows || log.size + bytes > kMostHeld) {
    if (const int code = Flush(log); code != SQLITE_OK) return code;
  }
  if (log.held == nullptr || bytes > kMostHeld) return log.inner->pMethods->xWrite(log.inner, data, amount, offset);
  if (log.size == 0) log.offset = offset;
  std::memcpy(log.held.get() + log.size, data, bytes);
  log.size += bytes;
  return SQLITE_OK;
}

// Flushed does `act` with the inner file once nothing is held.
template <typename Act>
int Flushed(sqlite3_file* file, Act act) {
  if (const int code = Flush(Log(file)); code != SQLITE_OK) return code;
  return act(Inner(file));
}

int Read(sqlite3_file* file, void* data, int amount, sqlite3_int64 offset) {
  return Flushed(file, [&](sqlite3_file* inner) { return inner->pMethods->xRead(inner, data, amount, offset); });
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  return Flushed(file, [&](sqlite3_file* inner) { return inner->pMethods->xTruncate(inner, size); });
}

int Sync(sqlite3_file* file, int flags) {
  return Flushed(file, [&](sqlite3_file* inner) { return inner->pMethods->xSync(inner, flags); });
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  return Flushed(file, [&](sqlite3_file* inner) { return inner->pMethods->xFileSize(inner, size); });
}

int Lock(sqlite3_file* file, int level) { return Inner(file)->pMethods->xLock(Inner(file), level); }
int Unlock(sqlite3_file* file, int level) { return Inner(file)->pMethods->xUnlock(Inner(file), level); }
int CheckReservedLock(sqlite3_file* file, int* held) {
  return Inner(file)->pMethods->xCheckReservedLock(Inner(file), held);
}
int FileControl(sqlite3_file* file, int operation, void* argument) {
  return Inner(file)->pMethods->xFileControl(Inner(file), operation, argument);
}
int SectorSize(sqlite3_file* file) { return Inner(file)->pMethods->xSectorSize(Inner(file)); }
int DeviceCharacteristics(sqlite3_file* file) { return Inner(file)->pMethods->xDeviceCharacteristics(Inner(file)); }

// Close drops what is held: no commit has counted on it.
int Close(sqlite3_file* file) {
  LogFile& log = Log(file);
  const int code = log.inner->pMethods->xClose(log.inner);
  log.~LogFile();
  return code;
}

// Version 1: a log is never mapped, and its shared memory belongs to the database file.
constexpr sqlite3_io_methods kLogMethods = {.iVersion = 1,
                                            .xClose = Close,
                                            .xRead = Read,
                                            .xWrite = Write,
                                            .xTruncate = Truncate,
                                            .xSync = Sync,
                                            .xFileSize = FileSize,
                                            .xLock = Lock,
                                            .xUnlock = Unlock,
                                            .xCheckReservedLock = CheckReservedLock,
                                            .xFileControl = FileControl,
                                            .xSectorSize = SectorSize,
                                            .xDeviceCharacteristics = DeviceCharacteristics,
                                            .xShmMap = nullptr,
                                            .xShmLock = nullptr,
                                            .xShmBarrier = nullptr,
                                            .xShmUnmap = nullptr,
                                            .xFetch = nullptr,
                                            .xUnfetch = nullptr};

sqlite3_vfs* Default() {
  static sqlite3_vfs* const vfs = sqlite3_vfs_find(nullptr);
  return vfs;
}

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  if ((flags & SQLITE_OPEN_WAL) == 0) return Default()->xOpen(Default(), name, file, flags, flags_out);
  auto* const log = new (file) LogFile();
  log->pMethods = nullptr;
  log->inner = reinterpret_cast<sqlite3_file*>(reinterpret_cast<std::byte*>(file) + kInnerAt);
  const int code = Default()->xOpen(Default(), name, log->inner, flags, flags_out);
  if (code == SQLITE_OK) log->pMethods = &kLogMethods;
  return code;
}

}  // namespace

Result<const char*> GatheringVfs() {
  static constexpr const char* kName = "strongroom-gathering";
  static const int code = [] {
    if (Default() == nullptr) return SQLITE_ERROR;
    static sqlite3_vfs vfs = *Default();
    vfs.zName = kName;
    vfs.pNext = nullptr;
    vfs.szOsFile = static_cast<int>(kInnerAt) + Default()->szOsFile;
    vfs.xOpen = Open;
    return sqlite3_vfs_register(&vfs, 0);
  }();
  if (code != SQLITE_OK) return Fail(Code::kUnavailable, "SQLite takes no VFS", code);
  return kName;
}

}  // namespace strongroom::sql
