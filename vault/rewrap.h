// Rewrap: keys move from RETIRING KEK versions to the ACTIVE one, a chunk a transaction, while resolves go on in between.
// The cryptography of the next chunk is done on a thread of its own, beside the trail's writer.
#pragma once

#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/database.h"
#include "vault/store.h"
#include "vault/vault_keys.h"

namespace strongroom::vault {

struct OpenVault;

// RewrapChunk is keys as they were read, and their wraps under the ACTIVE KEK: nothing is written yet.
struct RewrapChunk {
  struct Move {
    KeyRow row;  // as it shall be; without its payload
    std::int64_t row_version = 0, kek_version = 0;  // as it was
  };
  std::vector<Move> moves;
  std::vector<std::string> unopened;  // the KEY_REFs of those that did not open
  std::string next;                   // the KEY_REF behind which the next chunk begins, empty after the last
};

// PrepareRewrap reads and wraps the next keys, `most` of them, under `version` behind `after` (a KEY_REF, empty at first). Any
// thread that has the store to itself.
Result<RewrapChunk> PrepareRewrap(const OpenVault& vault, Store& store, const VaultKeys& keys, std::int64_t version,
                                  std::string_view after, std::int64_t most);

// RewrapAhead prepares one chunk beside the writer's thread, which alone calls it.
class RewrapAhead {
 public:
  explicit RewrapAhead(const OpenVault& vault) : vault_(vault) {}
  RewrapAhead(const RewrapAhead&) = delete;
  RewrapAhead& operator=(const RewrapAhead&) = delete;
  ~RewrapAhead() { Stop(); }

  // Start begins with a chunk; whatever was begun before is forgotten.
  void Start(std::shared_ptr<const VaultKeys> keys, std::int64_t version, std::string after, std::int64_t most);
  // Take waits for the chunk that was begun, nullopt where that is another one or could not be prepared. It is written only
  // where each row still is as it was read.
  std::optional<RewrapChunk> Take(const std::shared_ptr<const VaultKeys>& keys, std::int64_t version, std::string_view after);
  // Await waits for what was begun, and leaves it to be taken.
  void Await() const;
  // Stop waits for what was begun, so that no KEK is held for it, and closes its connection to the database.
  void Stop();

 private:
  Result<RewrapChunk> Prepare(const VaultKeys& keys, std::int64_t most);

  const OpenVault& vault_;
  std::unique_ptr<sql::Database> reader_;  // of the thread at work, while there is one
  std::weak_ptr<const VaultKeys> keys_;    // only while it is prepared are they kept
  std::int64_t version_ = 0;
  std::string after_;
  std::future<Result<RewrapChunk>> chunk_;
};

}  // namespace strongroom::vault
