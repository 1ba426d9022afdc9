// Proofs for outsiders: that a record is in the trail that a checkpoint is of, and that one checkpoint grew out of another.
#include <cstdio>
#include <utility>

#include "audit/cli_logs.h"
#include "audit/tree.h"

namespace strongroom::audit {
namespace {

int Refused(std::string_view problem) {
  Complain(problem);
  return kExitBad;
}

// Proving is a log, and the signed checkpoint that is proved against.
struct Proving {
  std::vector<Log> logs;
  const Log* log = nullptr;
  Claim claim;
};

OrProblem<Claim> FindClaim(const Arguments& arguments) {
  if (!arguments.checkpoint.empty()) return ReadClaim(arguments.checkpoint);
  if (!ReadsHome(arguments)) return std::unexpected("a copy has no anchor: name the checkpoint to prove against with --checkpoint");
  auto anchor = ReadAnchor(arguments);
  if (!anchor) return std::unexpected(AnchorPath(arguments) + ": " + anchor.error().Message());
  if (!*anchor) return std::unexpected(AnchorPath(arguments) + " is missing: name the checkpoint to prove against with --checkpoint");
  return std::move(**anchor);
}

OrProblem<Proving> Prepare(const Arguments& arguments) {
  Proving proving;
  auto claim = FindClaim(arguments);
  if (!claim) return std::unexpected(claim.error());
  proving.claim = std::move(*claim);
  if (proving.claim.note.signatures.empty()) {
    return std::unexpected(proving.claim.from + " is not signed, so it proves nothing: the vault is sealed (keytool unseal), or name another "
                                                "with --checkpoint");
  }
  auto logs = OpenLogs(arguments);
  if (!logs) return std::unexpected(logs.error());
  proving.logs = std::move(*logs);
  const auto log = FindLog(proving.logs, proving.claim.checkpoint.origin);
  if (!log) return std::unexpected("cannot read the trail: " + log.error().Message());
  if (*log == nullptr) return std::unexpected("no log here is that of " + proving.claim.checkpoint.origin);
  proving.log = *log;
  return proving;
}

constexpr std::string_view kNotOfThis = "the trail is not the one that the checkpoint is of: run auditlog verify";

}  // namespace

int RunProveInclusion(const Arguments& arguments) {
  auto proving = Prepare(arguments);
  if (!proving) return Refused(proving.error());
  const Head& head = proving->claim.checkpoint.head;
  if (arguments.seq >= head.size) {
    return Refused("record " + std::to_string(arguments.seq) + " is not under " + proving->claim.from + " yet, which is of " +
                   std::to_string(head.size) + " records");
  }
  StoredTree tree(*proving->log->database);
  auto path = InclusionProof(tree, arguments.seq, head.size);
  const auto leaf = tree.Node(0, arguments.seq);
  if (!path || !leaf) return Refused("cannot prove it: " + (path ? leaf.error() : path.error()).Message());
  if (!VerifyInclusion(arguments.seq, head, *leaf, *path)) return Refused(kNotOfThis);
  if (const auto pruned = FindPruned(*proving->log->database); pruned && *pruned && (*pruned)->Gone(arguments.seq)) {
    Complain("record " + std::to_string(arguments.seq) + " was pruned: the proof is of its hash, and who has a copy of the record can check it");
  }
  Print(RecordProof{arguments.seq, std::move(*path), proving->claim.note}.Print());
  return Flushed() ? kExitDone : kExitBad;
}

int RunProveConsistency(const Arguments& arguments) {
  auto proving = Prepare(arguments);
  if (!proving) return Refused(proving.error());
  const Head& head = proving->claim.checkpoint.head;
  const std::string size = std::to_string(head.size);
  if (arguments.new_size && *arguments.new_size != head.size) {
    return Refused("NEW is " + std::to_string(*arguments.new_size) + ", and the checkpoint of " + size +
                   " records: name the one of that size with --checkpoint");
  }
  if (arguments.old_size > head.size) return Refused("OLD is larger than the checkpoint's " + size + " records");
  StoredTree tree(*proving->log->database);
  const auto proof = ConsistencyProof(tree, arguments.old_size, head.size);
  const auto old = EdgeAt(tree, arguments.old_size);
  if (!proof || !old) return Refused("cannot prove it: " + (proof ? old.error() : proof.error()).Message());
  if (!VerifyConsistency(old->head(), head, *proof)) return Refused(kNotOfThis);
  Print(ConsistencyRequest(arguments.old_size, *proof, proving->claim.note));
  return Flushed() ? kExitDone : kExitBad;
}

// The key under the newest name: the home's anchor has it, and in a copy the records.
int RunVkey(const Arguments& arguments) {
  const auto logs = OpenLogs(arguments);
  if (!logs) return Refused(logs.error());
  std::optional<Claim> anchor;
  if (ReadsHome(arguments)) {
    if (auto read = ReadAnchor(arguments)) anchor = std::move(*read);
  }
  const Log* anchored = nullptr;
  if (anchor) {
    const auto log = FindLog(*logs, anchor->checkpoint.origin);
    if (log) anchored = *log;
  }
  for (const Log& log : *logs) {
    const auto named = NamedKeysOf(*log.database);
    if (!named) return Refused("cannot read the trail: " + named.error().Message());
    std::string vkey = named->empty() ? "" : named->back().key.Print();
    const auto public_key = PublicKeyOf(*log.database);
    if (&log == anchored && public_key && !public_key->empty()) {
      const auto key = VerifierKey::Of(anchor->checkpoint.origin, SignatureType::kEd25519, *public_key);
      if (key) vkey = key->Print();
    }
    if (vkey.empty()) return Refused("no record of this log names its key");
    Print(vkey + '\n');
  }
  return Flushed() ? kExitDone : kExitBad;
}

}  // namespace strongroom::audit
