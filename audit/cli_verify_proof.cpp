#include <cstdio>
#include <utility>

#include "audit/claims.h"
#include "audit/cli_arguments.h"
#include "audit/cli_report.h"
#include "base/files.h"
#include "base/log.h"
#include "base/table.h"

namespace strongroom::audit {
namespace {

// Judged is what a proof is worth.
struct Judged {
  int exit = kExitDone;
  std::string kind;    // where it does not verify
  std::string detail;  // one line for a person
};

Judged Judge(const RecordProof& proof, const Checkpoint& checkpoint, std::string_view record, const Given& given) {
  if (checkpoint.origin != given.key->name) return {kExitBad, "signature", "its checkpoint is of another log: " + checkpoint.origin};
  switch (CheckSignature(proof.checkpoint, *given.key)) {
    case Signed::kYes: break;
    case Signed::kNot: return {kExitBad, "signature", "its checkpoint is not signed by the key"};
    case Signed::kForged: return {kExitBad, "signature", "the signature of its checkpoint is forged"};
  }
  if (!VerifyInclusion(proof.index, checkpoint.head, HashLeaf(record), proof.path)) {
    return {kExitBad, "changed", "this is not the record that stands at that seq under the checkpoint"};
  }
  if (CountWitnesses(proof.checkpoint, given.witnesses) < given.quorum) {
    return {kExitUnsigned, "", "too few witnesses have signed its checkpoint"};
  }
  return {kExitDone, "", "the record stands at that seq in the log"};
}

std::string_view NextOn(const Judged& judged) {
  if (judged.exit == kExitUnsigned) return "get a checkpoint with their cosignatures, or ask for fewer: --quorum";
  if (judged.kind == "changed") return "ask for the record's exact bytes again (search --json), and for its proof (prove inclusion)";
  return "get proof and verifier key again from where they were noted";
}

}  // namespace

int RunVerifyProof(const Arguments& arguments, const Given& given) {
  if (!given.key) return CouldNotCheck(arguments, "a proof is checked with a key that was noted: --vkey");
  const auto text = base::ReadFile(arguments.proof, kMostNoteBytes);
  if (!text) return CouldNotCheck(arguments, arguments.proof + " cannot be read: " + text.error().Message());
  const auto proof = RecordProof::Parse(*text);
  const auto checkpoint = proof ? Checkpoint::Parse(proof->checkpoint.text) : Fail(proof.error());
  if (!checkpoint) return CouldNotCheck(arguments, arguments.proof + ": " + checkpoint.error().Message());
  auto record = base::ReadFile(arguments.record, kMostRecordBytes + 1);
  if (!record) return CouldNotCheck(arguments, arguments.record + " cannot be read: " + record.error().Message());
  // `search --json` ends the line; no record holds a newline.
  if (record->ends_with('\n')) record->pop_back();
  const Judged judged = Judge(*proof, *checkpoint, *record, given);
  const std::string_view verdict = judged.exit == kExitBad ? "tampered" : judged.exit == kExitUnsigned ? "unsigned" : "verified";
  const std::string seq = std::to_string(proof->index), size = std::to_string(checkpoint->head.size);
  if (arguments.json) {
    std::string out = R"({"verdict":")" + std::string(verdict) + R"(","seq":)" + seq + R"(,"size":)" + size;
    if (!judged.kind.empty()) out += R"(,"kind":")" + judged.kind + '"';
    out += R"(,"detail":)";
    base::AppendJsonString(out, judged.detail);
    if (judged.exit != kExitDone) out += R"(,"next":")" + std::string(NextOn(judged)) + '"';
    Print(out + R"(,"key":)" + KeyJson({given.key->Print(), KeySource::kNamed}) + "}\n");
  } else {
    std::vector<std::pair<std::string, std::string>> facts;
    if (judged.exit == kExitBad) facts.emplace_back("kind", judged.kind);
    facts.emplace_back("seq", seq);
    facts.emplace_back("detail", judged.detail);
    if (judged.exit != kExitDone) facts.emplace_back("next", NextOn(judged));
    facts.emplace_back("checkpoint", size + " records, " + checkpoint->origin);
    Print((judged.exit == kExitBad ? "DOES NOT VERIFY\n" : judged.exit == kExitUnsigned ? "VERIFIED, BUT NOT WITNESSED\n" : "verified\n") +
          base::FormatFacts(facts));
  }
  return std::fflush(stdout) == 0 ? judged.exit : kExitUnchecked;
}

}  // namespace strongroom::audit
