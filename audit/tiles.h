// The trail as the files of a C2SP tlog-tiles log: what outsiders fetch, and can verify without the vault.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/checkpoint.h"
#include "audit/out.h"
#include "base/result.h"
#include "sql/database.h"

namespace strongroom::audit {

// Tiled is a log's checkpoint, verified, and the key that signed it.
struct Tiled {
  Note note;
  Checkpoint checkpoint;
  VerifierKey key;
};
// CheckTiled is kRefused where the newest checkpoint is not signed, or not by this key.
Result<Tiled> CheckTiled(Note note, ByteView public_key);

// HoldsHead is whether the log's first records are those of the head.
Result<bool> HoldsHead(sql::Database& database, const Head& head);

// ExportTiles writes `checkpoint` and the tiles of its tree, made anew of the records; with `entries` the records too, and `vkey`.
// kCorrupt where the records are not those of the checkpoint.
Result<void> ExportTiles(sql::Database& database, const Tiled& tiled, bool entries, OutDirectory& out);

}  // namespace strongroom::audit
