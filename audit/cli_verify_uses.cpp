#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>

#include "audit/claims.h"
#include "audit/cli_arguments.h"
#include "audit/cli_report.h"
#include "audit/uses.h"
#include "base/log.h"
#include "base/table.h"

namespace strongroom::audit {
namespace {

constexpr std::string_view kShows = "each of them is real; that none was left out, auditlog verify of the database shows";

int Show(const Arguments& arguments, const UsesVerdict& verdict, int exit) {
  const std::string_view word = exit == kExitBad ? "tampered" : exit == kExitUnsigned ? "unsigned" : "verified";
  const std::string seq = verdict.seq ? std::to_string(*verdict.seq) : "";
  const std::string uses = std::to_string(verdict.uses), size = std::to_string(verdict.checkpoint.head.size);
  const std::string next = exit == kExitBad        ? "keep this file, and have the list made again: keytool incident KEY_REF --since TIME --out FILE"
                           : exit == kExitUnsigned ? "too few witnesses have signed its checkpoint: ask for fewer with --quorum"
                                                   : "";
  if (arguments.json) {
    std::string out = R"({"verdict":")" + std::string(word) + R"(","key_ref":)";
    base::AppendJsonString(out, verdict.key_ref);
    out += R"(,"since":")" + base::FormatTime(verdict.since) + R"(","uses":)" + uses + R"(,"size":)" + size;
    if (!verdict.kind.empty()) out += R"(,"kind":")" + verdict.kind + '"';
    if (verdict.seq) out += R"(,"seq":)" + seq;
    if (!verdict.detail.empty()) {
      out += R"(,"detail":)";
      base::AppendJsonString(out, verdict.detail);
    }
    if (exit != kExitBad) out += R"(,"shows":")" + std::string(kShows) + '"';
    if (!next.empty()) out += R"(,"next":")" + next + '"';
    Print(out + "}\n");
    return Flushed() ? exit : kExitUnchecked;
  }
  std::vector<std::pair<std::string, std::string>> facts;
  if (exit == kExitBad) facts.emplace_back("kind", verdict.kind);
  if (verdict.seq) facts.emplace_back("seq", seq);
  if (!verdict.detail.empty()) facts.emplace_back("detail", verdict.detail);
  facts.emplace_back("uses", uses + " of " + verdict.key_ref + " since " + base::FormatTime(verdict.since));
  if (exit != kExitBad) facts.emplace_back("shows", std::string(kShows));
  if (!next.empty()) facts.emplace_back("next", next);
  facts.emplace_back("checkpoint", size + " records, " + verdict.checkpoint.origin);
  Print((exit == kExitBad ? "DOES NOT VERIFY\n" : exit == kExitUnsigned ? "VERIFIED, BUT NOT WITNESSED\n" : "verified\n") + base::FormatFacts(facts));
  return Flushed() ? exit : kExitUnchecked;
}

}  // namespace

int RunVerifyUses(const Arguments& arguments, const Given& given) {
  if (!given.key) return CouldNotCheck(arguments, "a list of uses is checked with a key that was noted: --vkey");
  std::error_code error;
  // A pipe or a device might never end.
  if (!std::filesystem::is_regular_file(arguments.uses, error)) return CouldNotCheck(arguments, arguments.uses + " is no file that can be read");
  std::ifstream lines(arguments.uses, std::ios::binary);
  if (!lines) return CouldNotCheck(arguments, arguments.uses + " cannot be read");
  const UsesVerdict verdict = VerifyUses(lines, [&given](const Note& note, const Checkpoint& checkpoint) {
    return checkpoint.origin == given.key->name ? CheckSignature(note, *given.key) : Signed::kNot;
  });
  if (lines.bad()) return CouldNotCheck(arguments, arguments.uses + " cannot be read to its end");
  if (verdict.kind == "malformed" && verdict.key_ref.empty()) return CouldNotCheck(arguments, arguments.uses + ": " + verdict.detail);
  if (!verdict.kind.empty()) return Show(arguments, verdict, kExitBad);
  const bool witnessed = CountWitnesses(verdict.note, given.witnesses) >= given.quorum;
  return Show(arguments, verdict, witnessed ? kExitDone : kExitUnsigned);
}

}  // namespace strongroom::audit
