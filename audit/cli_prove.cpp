// Proofs for outsiders: that a record is in the trail that a checkpoint is of, and that one checkpoint grew out of another.
#include <cstdio>
#include <utility>

#include "audit/cli_arguments.h"
#include "audit/cli_claims.h"
#include "audit/rotation.h"
#include "audit/tree.h"
#include "base/log.h"

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

// CheckSigned refuses a checkpoint that somebody else has signed: a proof against it would prove nothing to whoever has the key.
OrProblem<void> CheckSigned(const Arguments& arguments, const Claim& claim, sql::Database& database) {
  Bytes public_key;
  if (arguments.vkey.empty()) {
    auto own = PublicKeyOf(database);
    if (!own) return std::unexpected("cannot read the vault's row: " + own.error().Message());
    if (own->empty()) return std::unexpected("there is no key to check the checkpoint with: name it with --vkey");
    public_key = std::move(*own);
  } else {
    auto named = ReadKey(arguments.vkey, SignatureType::kEd25519);
    if (!named) return std::unexpected(named.error());
    public_key = std::move(named->public_key);
  }
  const auto key = VerifierKey::Of(claim.checkpoint.origin, SignatureType::kEd25519, public_key);
  const Signed by = key ? CheckSignature(claim.note, *key) : Signed::kNot;
  if (by == Signed::kYes) return {};
  if (by == Signed::kForged) return std::unexpected("the signature of " + claim.from + " is forged: get the checkpoint again");
  return std::unexpected(claim.from + " is not signed by " + (arguments.vkey.empty() ? "the log's key" : "the key of --vkey") +
                         ": get the checkpoint again from where it was kept");
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
  const auto checked = CheckSigned(arguments, proving.claim, *proving.log->database);
  if (!checked) return std::unexpected(checked.error());
  return proving;
}

// Document is what a proof is printed as with --json: its place as numbers, and the text that others take, whole.
std::string Document(std::string_view numbers, const Claim& claim, std::string_view name, std::string_view text) {
  std::string out = "{" + std::string(numbers) + R"(,"size":)" + std::to_string(claim.checkpoint.head.size) + R"(,"origin":)";
  base::AppendJsonString(out, claim.checkpoint.origin);
  out += R"(,"from":)";
  base::AppendJsonString(out, claim.from);
  out += R"(,")" + std::string(name) + R"(":)";
  base::AppendJsonString(out, text);
  return out + "}\n";
}

constexpr std::string_view kNotOfThis = "the trail is not the one that the checkpoint is of: run auditlog verify";

// The key under the newest name: the home's anchor has it, and in a copy the records.
Result<std::string> NewestKey(const Log& log, const std::vector<Rotation>& rotations, const Claim* anchor) {
  TRY_ASSIGN(const auto named, NamedKeysOf(*log.database));
  std::string vkey = named.empty() ? "" : named.back().key.Print();
  if (!rotations.empty() && !named.empty() && rotations.back().seq > named.back().seq) vkey = rotations.back().after.Print();
  TRY_ASSIGN(const Bytes public_key, PublicKeyOf(*log.database));
  if (anchor == nullptr || public_key.empty()) return vkey;
  const auto key = VerifierKey::Of(anchor->checkpoint.origin, SignatureType::kEd25519, public_key);
  return key ? key->Print() : vkey;
}

// VkeyJson is the key, and each one before it with the sizes of the checkpoints that it counts for.
std::string VkeyJson(const std::string& node, const std::string& vkey, const std::vector<Rotation>& rotations) {
  std::string out = R"({"origin":)";
  base::AppendJsonString(out, vkey.substr(0, vkey.find('+')));
  if (!node.empty()) {
    out += R"(,"node":)";
    base::AppendJsonString(out, node);
  }
  out += R"(,"vkey":)";
  base::AppendJsonString(out, vkey);
  out += ",\"former\":[";
  for (const Rotation& rotation : rotations) {
    const KeyRange range = RangeOf(rotation.before, rotations);
    if (out.back() != '[') out += ',';
    out += "{\"vkey\":";
    base::AppendJsonString(out, rotation.before.Print());
    out += ",\"from_size\":" + std::to_string(range.from);
    if (rotation.erased) out += ",\"to_size\":" + std::to_string(range.to);
    out += '}';
  }
  return out + "]}\n";
}

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
  const std::string text = RecordProof{arguments.seq, std::move(*path), proving->claim.note}.Print();
  const std::string numbers = R"("seq":)" + std::to_string(arguments.seq) + R"(,"leaf":")" + base::Hex(*leaf) + '"';
  Print(arguments.json ? Document(numbers, proving->claim, "proof", text) : text);
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
  const std::string text = ConsistencyRequest(arguments.old_size, *proof, proving->claim.note);
  Print(arguments.json ? Document(R"("old_size":)" + std::to_string(arguments.old_size), proving->claim, "request", text) : text);
  return Flushed() ? kExitDone : kExitBad;
}

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
    const auto rotations = RotationsOf(*log.database);
    const auto vkey = rotations ? NewestKey(log, *rotations, &log == anchored ? &*anchor : nullptr) : Fail(rotations.error());
    if (!vkey) return Refused("cannot read the trail: " + vkey.error().Message());
    if (vkey->empty()) return Refused("no record of this log names its key");
    Print(arguments.json ? VkeyJson(log.node, *vkey, *rotations) : *vkey + '\n');
  }
  return Flushed() ? kExitDone : kExitBad;
}

}  // namespace strongroom::audit
