#include "audit/cli_report.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/table.h"

namespace strongroom::audit {
namespace {

struct Advice {
  std::string_view why, next;
};

Advice AdviceOn(const Report& report) {
  switch (report.verdict.weakness) {
    case Weakness::kNone: break;
    case Weakness::kNoCheckpoint:
      if (report.elsewhere) {
        return {"no checkpoint: another host has this log's anchor",
                "run auditlog verify there too, or name that host's checkpoint file here"};
      }
      return {"no checkpoint: the tail is unsigned", "name a checkpoint that was kept elsewhere: auditlog verify --vkey KEY CHECKPOINT-FILE"};
    case Weakness::kSealed:
      return {"the home's newest checkpoint is not signed: the vault is sealed, or was not opened yet",
              "keytool unseal, then verify again. Where it is open already, somebody has changed the anchor: name a checkpoint that was kept "
              "elsewhere"};
    case Weakness::kFewWitnesses:
      return {"too few witnesses have signed the newest checkpoint", "name a checkpoint file with their cosignatures, or ask for fewer: --quorum"};
    case Weakness::kTail:
      if (report.home) {
        return {"the home's newest checkpoint does not cover the end: vaultd ended before it had told anybody of those records, or somebody added them",
                "start vaultd: it keeps what fits, and records the range (recovered_tail); then verify again"};
      }
      return {"the newest checkpoint that counts does not cover the end",
              "name a newer checkpoint; a vaultd that is up makes one with every group of records"};
  }
  return {};
}

std::string_view NextOn(const Verdict& verdict) {
  const std::string& kind = verdict.fault->kind;
  if (kind == "signature" && verdict.no_anchor) {
    return "find out who removed it, and put it back from a copy; vaultd releases nothing without it. Of a home that was put back from a backup: start vaultd. Where "
           "it is lost for good: keytool new-origin";
  }
  if (kind == "signature") return "get checkpoint and verifier key again from where they were noted; auditlog vkey shows what the home says its key is";
  if (kind == "fork") return "keep the database and the checkpoint as they are: together they prove that the trail was written anew";
  if (kind == "rollback") return "put the newest database back, with vaultd stopped; what has happened since is in no other place";
  if (kind == "truncated") return "look for a newer copy of the database; the records that are missing here are vouched for";
  return "copy the database and the anchor away as they are; compare with the newest backup or bundle that verifies; whoever may write the "
         "database can have done it";
}

std::string_view StateName(const Finding& finding) {
  switch (finding.state) {
    case ClaimState::kValid: return finding.beyond ? "longer than the trail" : finding.fits ? "valid" : "of another trail";
    case ClaimState::kUnsigned: return "unsigned";
    case ClaimState::kNotSigned: return "not signed by the key";
    case ClaimState::kForged: return "forged";
    case ClaimState::kOtherLog: break;
  }
  return "of another log";
}

std::string JsonString(std::string_view text) {
  std::string out;
  base::AppendJsonString(out, text);
  return out;
}

std::string_view SourceInWords(KeySource source) {
  switch (source) {
    case KeySource::kNamed: return "--vkey";
    case KeySource::kDatabase: return "the database's own: compare it with one that was noted";
    case KeySource::kBundle: break;
  }
  return "the bundle's own: compare it with one that was noted";
}

std::string ToldJson(const std::vector<Told>& all) {
  std::string tails, origins;
  for (const Told& told : all) {
    std::string& out = told.origin.empty() ? tails : origins;
    out += (out.empty() ? "" : ",") + (R"({"seq":)" + std::to_string(told.seq));
    out += told.origin.empty() ? R"(,"from":)" + JsonString(told.from) + R"(,"to":)" + JsonString(told.to) : R"(,"origin":)" + JsonString(told.origin);
    out += '}';
  }
  return R"(,"recovered_tails":[)" + tails + R"(],"new_origins":[)" + origins + ']';
}

// AddFindings is a line a checkpoint; of many that were read in one place, a line for all that are valid.
void AddFindings(const std::vector<Finding>& findings, std::vector<std::pair<std::string, std::string>>& facts) {
  struct Group {
    std::int64_t valid = 0, newest = 0;
  };
  std::map<std::string, Group> groups;
  for (const Finding& finding : findings) {
    const std::int64_t size = finding.claim.checkpoint.head.size;
    const std::string state(StateName(finding));
    if (!finding.claim.group.empty() && state == "valid") {
      Group& group = groups[finding.claim.group];
      ++group.valid;
      group.newest = std::max(group.newest, size);
      continue;
    }
    std::string text = state + ", " + std::to_string(size) + " records";
    if (finding.witnesses > 0) text += ", witnesses: " + std::to_string(finding.witnesses);
    facts.emplace_back("checkpoint", text + ", " + finding.claim.from);
  }
  for (const auto& [from, group] : groups) {
    facts.emplace_back("checkpoints", std::to_string(group.valid) + " valid, the newest of " + std::to_string(group.newest) + " records, " + from);
  }
}

std::string PrunedJson(const Pruned& pruned) {
  std::string kept;
  for (const std::int64_t seq : pruned.kept) kept += (kept.empty() ? "" : ",") + std::to_string(seq);
  return R"(,"pruned":{"before":)" + std::to_string(pruned.first) + R"(,"records":)" + std::to_string(pruned.gone()) + R"(,"kept":[)" + kept +
         R"(],"retention_days":)" + std::to_string(pruned.days) + R"(,"by_seq":)" + std::to_string(pruned.seq) + R"(,"at":")" +
         base::FormatTime(pruned.at) + R"("})";
}

bool IsRotating(const Verdict& verdict) { return !verdict.rotations.empty() && !verdict.rotations.back().erased; }

}  // namespace

std::string KeyJson(const KeyShown& key) {
  const std::string_view source = key.source == KeySource::kNamed ? "named" : key.source == KeySource::kDatabase ? "database" : "bundle";
  return R"({"vkey":)" + JsonString(key.vkey) + R"(,"source":")" + std::string(source) + R"("})";
}

std::string VerdictJson(const Report& report) {
  const Verdict& verdict = report.verdict;
  const bool weak = verdict.weakness != Weakness::kNone;
  std::string out = verdict.fault ? R"({"verdict":"tampered")" : weak ? R"({"verdict":"unsigned")" : R"({"verdict":"verified")";
  if (!report.node.empty()) out += R"(,"node":)" + JsonString(report.node);
  out += R"(,"records":)" + std::to_string(verdict.records) + R"(,"head":")" + verdict.head + '"';
  if (verdict.first_time) out += R"(,"first_time":")" + base::FormatTime(*verdict.first_time) + '"';
  if (verdict.last_time) out += R"(,"last_time":")" + base::FormatTime(*verdict.last_time) + '"';
  if (verdict.pruned) out += PrunedJson(*verdict.pruned);
  if (verdict.fault) {
    out += R"(,"first_bad_seq":)" + std::to_string(verdict.fault->seq) + R"(,"kind":")" + verdict.fault->kind;
    out += R"(","detail":)" + JsonString(verdict.fault->detail) + R"(,"next":)" + JsonString(NextOn(verdict));
  } else {
    out += R"(,"unsigned_records":)" + std::to_string(std::max<std::int64_t>(verdict.records - verdict.vouched, 0));
    if (weak) out += R"(,"detail":)" + JsonString(AdviceOn(report).why) + R"(,"next":)" + JsonString(AdviceOn(report).next);
  }
  out += R"(,"root":")" + Base64(verdict.root) + '"' + ToldJson(verdict.told);
  if (!report.key.vkey.empty()) out += R"(,"key":)" + KeyJson(report.key);
  out += R"(,"checkpoints":[)";
  for (const Finding& finding : verdict.findings) {
    const Checkpoint& checkpoint = finding.claim.checkpoint;
    if (out.back() != '[') out += ',';
    out += R"({"from":)" + JsonString(finding.claim.from) + R"(,"origin":)" + JsonString(checkpoint.origin) + R"(,"size":)" +
           std::to_string(checkpoint.head.size) + R"(,"state":)" + JsonString(StateName(finding)) + R"(,"witnesses":)" +
           std::to_string(finding.witnesses) + '}';
  }
  out += ']';
  if (IsRotating(verdict)) out += R"(,"key_rotating_since":)" + std::to_string(verdict.rotations.back().seq);
  return out + "}\n";
}

std::string VerdictText(const Report& report) {
  const Verdict& verdict = report.verdict;
  std::vector<std::pair<std::string, std::string>> facts;
  if (!report.node.empty()) facts.emplace_back("node", report.node);
  std::string title;
  if (verdict.fault) {
    title = "DOES NOT VERIFY\n";
    facts.emplace_back("first bad seq", std::to_string(verdict.fault->seq));
    facts.emplace_back("kind", verdict.fault->kind);
    facts.emplace_back("detail", verdict.fault->detail);
    facts.emplace_back("next", NextOn(verdict));
  } else {
    const Advice advice = AdviceOn(report);
    facts.emplace_back("verified", std::to_string(verdict.records) + " records");
    if (verdict.pruned) facts.emplace_back("pruned", verdict.pruned->InWords() + "; their hashes are in the tree");
    if (!advice.why.empty()) {
      title = "VERIFIED, BUT NOT TO THE END\n";
      facts.emplace_back("unsigned", std::to_string(verdict.records - verdict.vouched) + " records, the newest");
      facts.emplace_back("why", advice.why);
      facts.emplace_back("next", advice.next);
    }
    if (verdict.first_time) facts.emplace_back("from", base::FormatTime(*verdict.first_time));
    if (verdict.last_time) facts.emplace_back("to", base::FormatTime(*verdict.last_time));
    facts.emplace_back("head", verdict.head);
    facts.emplace_back("root", Base64(verdict.root));
  }
  for (const Told& told : verdict.told) facts.emplace_back(told.origin.empty() ? "recovered" : "new origin", InWords(told));
  AddFindings(verdict.findings, facts);
  if (!verdict.findings.empty()) facts.emplace_back("key", report.key.vkey + " (" + std::string(SourceInWords(report.key.source)) + ")");
  if (IsRotating(verdict)) facts.emplace_back("rotation", "the signing key is being changed, since seq " + std::to_string(verdict.rotations.back().seq));
  return title + base::FormatFacts(facts);
}

}  // namespace strongroom::audit
