// SignedTrail: a home's trail as vaultd keeps it, its heads in an anchor, signed by a key of the tests' own; and auditlog over it.
#pragma once

#include <functional>
#include <string>

#include "audit/anchor.h"
#include "tests/audit/signer.h"
#include "tests/audit/trail.h"

namespace strongroom::audit {

class SignedTrail : public Trail {
 public:
  // The first record names the key, as `init` does.
  explicit SignedTrail(int records);
  // Grow appends so many records. While the vault is sealed nothing is signed.
  void Grow(int records, bool sealed = false) const;

  // Append appends one record.
  void Append(Draft draft) const;
  // Prune is one step of vaultd's pruning of records older than `before`; false where there was nothing to do.
  Result<bool> Prune(base::Micros before, std::int64_t days = 400) const;

  const Signer& signer() const { return signer_; }
  std::string home() const { return directory().string(); }
  std::string anchor() const { return home() + "/anchor"; }
  std::string vkey() const { return signer_.key().Print(); }
  // HeadAt is the head of the first `size` records, as the stored tree has it now.
  Head HeadAt(std::int64_t size) const;
  // Checkpoint writes a signed checkpoint of that size into a file, with what is to stand below it, and returns its path.
  std::string Checkpoint(std::int64_t size, const std::string& more = "") const;
  std::string Write(const std::string& name, const std::string& content) const;
  std::string Read(const std::string& path) const;
  // Copy is the database as it is now, in a file beside it.
  std::string Copy(const std::string& name) const;

  std::string Record(std::int64_t seq) const;
  void Store(std::int64_t seq, std::string_view bytes) const;
  void Execute(sql::Sql text) const { REQUIRE(Open()->Execute(text)); }
  // Rewrite changes the record at `seq`, and chains all that follows anew, columns and all; the tree stays as it was.
  void Rewrite(std::int64_t seq) const;
  // RebuildTree makes tiles and head anew from the records that are there.
  void RebuildTree() const;

 private:
  std::unique_ptr<Anchor> OpenAnchor(bool sealed) const;

  Signer signer_{"strongroom/test/audit", 1};
};

// Run is what a program answered.
struct Run {
  int status = -1;
  std::string out;  // what it printed, complaints included
  bool Has(std::string_view part) const { return out.find(part) != std::string::npos; }
};
// Auditlog may be called on any thread.
Run Auditlog(const std::string& arguments);

}  // namespace strongroom::audit
