// Anchor: the newest head of a trail, outside its database: so a database that was cut, or that yesterday's was put in the place of, is
// not believed (audit/FORMAT.md, The anchor).
//
// The file is 8,192 bytes. Heads are written into its two halves in turn, so that a write that was torn leaves the head before it; while nobody
// can sign, the newest that is signed, which may be much older. A
// half is a checkpoint and zeros behind it; it has no signature line while nobody can sign. The newest that is signed stays in its half
// meanwhile: what has no signature is worth no more than the file's mode.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "audit/checkpoint.h"
#include "base/files.h"
#include "base/result.h"

namespace strongroom::audit {

class Anchor {
 public:
  static constexpr std::size_t kHalfBytes = 4096;
  // Sign makes the signature lines for a checkpoint's body, none while nobody can sign. Any thread.
  using Sign = std::function<std::string(std::string_view body)>;

  // Create makes the file (0600) with an unsigned checkpoint. kAlreadyExists where it is there.
  static Result<void> Create(const std::string& path, const Checkpoint& first);
  // Open opens it for writing. kNotFound where there is none, kCorrupt where neither half holds a checkpoint, or they are of
  // two origins, or of one size and two roots.
  static Result<std::unique_ptr<Anchor>> Open(const std::string& path, Sign sign);
  // Read is the newest checkpoint that a file holds, as the note that it is; errors as Open's.
  static Result<Note> Read(const std::string& path);
  // ReadAll is that and, where the other half holds one too, the checkpoint before it.
  static Result<std::vector<Note>> ReadAll(const std::string& path);

  // Keep makes a head durable. One that is no larger than the one kept is nothing to do, unless that is not signed and could be.
  // Heads must grow out of each other. Thread-safe.
  Result<void> Keep(const Head& head);
  // SignAgain has the newest head signed by whoever signs now, where others have signed it.
  Result<void> SignAgain();
  // newest is the checkpoint that is kept.
  Checkpoint newest() const;
  // newest_note is the same, with its signatures.
  std::string newest_note() const;

 private:
  Anchor(base::UniqueFd fd, Sign sign, Checkpoint newest, Note note, int half, int signed_half)
      : fd_(std::move(fd)), sign_(std::move(sign)), newest_(std::move(newest)), signed_(!note.signatures.empty()),
        note_(note.Print()), half_(half), signed_half_(signed_half) {}

  Result<void> Put(Checkpoint next, const std::string& lines);

  const base::UniqueFd fd_;
  const Sign sign_;
  mutable std::mutex mutex_;  // guards what follows
  Checkpoint newest_;
  bool signed_;
  std::string note_;
  int half_;  // the one that holds it
  int signed_half_;  // the one with the newest signed checkpoint, -1 where none is
};

}  // namespace strongroom::audit
