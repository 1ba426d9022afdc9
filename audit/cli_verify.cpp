#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "audit/bundle.h"
#include "audit/cli_logs.h"
#include "base/files.h"
#include "base/log.h"
#include "base/table.h"

namespace strongroom::audit {
namespace {

int CouldNotCheck(const Arguments& arguments, const std::string& problem) {
  if (arguments.json) {
    std::string out = R"({"verdict":"unchecked","detail":)";
    base::AppendJsonString(out, problem);
    Print(out + "}\n");
  }
  Complain(problem);
  return kExitUnchecked;
}

// Whose key it is that counts, for a person.
struct Key {
  std::string vkey;
  std::string_view source;
};

// Report is one log's verdict, with what is shown beside it.
struct Report {
  std::string node;
  Verdict verdict;
  Key key;
  bool elsewhere = false;  // another host has its anchor
};

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
    case Weakness::kNoAnchor:
      return {"the home's anchor is missing: the tail is unsigned",
              "vaultd releases nothing without it; put it back from a copy, or verify with a checkpoint that was kept elsewhere"};
    case Weakness::kSealed:
      return {"the home's newest checkpoint is not signed: the vault is sealed, or was not opened yet",
              "keytool unseal, then verify again; until then name a checkpoint that was kept elsewhere"};
    case Weakness::kFewWitnesses:
      return {"too few witnesses have signed the newest checkpoint", "name a checkpoint file with their cosignatures, or ask for fewer: --quorum"};
    case Weakness::kTail:
      return {"the newest checkpoint that counts does not cover the end",
              "name a newer checkpoint; a vaultd that is up makes one with every group of records"};
  }
  return {};
}

std::string_view AdviceOn(const std::string& kind) {
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

std::string VerdictJson(const Report& report) {
  const Verdict& verdict = report.verdict;
  const bool weak = verdict.weakness != Weakness::kNone;
  std::string out = verdict.fault ? R"({"verdict":"tampered")" : weak ? R"({"verdict":"unsigned")" : R"({"verdict":"verified")";
  if (!report.node.empty()) out += R"(,"node":)" + JsonString(report.node);
  out += R"(,"records":)" + std::to_string(verdict.records) + R"(,"head":")" + verdict.head + '"';
  if (verdict.first_time) out += R"(,"first_time":")" + base::FormatTime(*verdict.first_time) + '"';
  if (verdict.last_time) out += R"(,"last_time":")" + base::FormatTime(*verdict.last_time) + '"';
  if (verdict.fault) {
    out += R"(,"first_bad_seq":)" + std::to_string(verdict.fault->seq) + R"(,"kind":")" + verdict.fault->kind;
    out += R"(","detail":)" + JsonString(verdict.fault->detail);
  } else {
    out += R"(,"unsigned_records":)" + std::to_string(std::max<std::int64_t>(verdict.records - verdict.vouched, 0));
    if (weak) out += R"(,"detail":)" + JsonString(AdviceOn(report).why);
  }
  out += R"(,"root":")" + Base64(verdict.root) + R"(","checkpoints":[)";
  for (const Finding& finding : verdict.findings) {
    const Checkpoint& checkpoint = finding.claim.checkpoint;
    if (out.back() != '[') out += ',';
    out += R"({"from":)" + JsonString(finding.claim.from) + R"(,"origin":)" + JsonString(checkpoint.origin) + R"(,"size":)" +
           std::to_string(checkpoint.head.size) + R"(,"state":)" + JsonString(StateName(finding)) + R"(,"witnesses":)" +
           std::to_string(finding.witnesses) + '}';
  }
  return out + "]}\n";
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
    facts.emplace_back("next", AdviceOn(verdict.fault->kind));
  } else {
    const Advice advice = AdviceOn(report);
    facts.emplace_back("verified", std::to_string(verdict.records) + " records");
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
  for (const Finding& finding : verdict.findings) {
    std::string text = std::string(StateName(finding)) + ", " + std::to_string(finding.claim.checkpoint.head.size) + " records";
    if (finding.witnesses > 0) text += ", witnesses: " + std::to_string(finding.witnesses);
    facts.emplace_back("checkpoint", text + ", " + finding.claim.from);
  }
  if (!verdict.findings.empty()) facts.emplace_back("key", report.key.vkey + " (" + std::string(report.key.source) + ")");
  return title + base::FormatFacts(facts);
}

int ExitOf(const Report& report) {
  if (report.verdict.fault) return kExitBad;
  return report.verdict.weakness == Weakness::kNone || report.elsewhere ? kExitDone : kExitUnsigned;
}

// Given is what the command line brings along.
struct Given {
  std::optional<VerifierKey> key;
  std::vector<Claim> claims;
  std::vector<VerifierKey> witnesses;
  std::size_t quorum = 0;
};

OrProblem<Given> ReadGiven(const Arguments& arguments) {
  Given given;
  if (!arguments.vkey.empty()) {
    auto key = ReadKey(arguments.vkey, SignatureType::kEd25519);
    if (!key) return std::unexpected(key.error());
    given.key = std::move(*key);
  }
  for (const std::string& text : arguments.witnesses) {
    auto witness = ReadKey(text, SignatureType::kCosignature);
    if (!witness) return std::unexpected(witness.error());
    given.witnesses.push_back(std::move(*witness));
  }
  given.quorum = arguments.quorum.value_or(given.witnesses.size());
  if (given.quorum > given.witnesses.size()) return std::unexpected("--quorum asks for more witnesses than --witness names");
  for (const std::string& file : arguments.checkpoints) {
    auto claim = ReadClaim(file);
    if (!claim) return std::unexpected(claim.error());
    given.claims.push_back(std::move(*claim));
  }
  return given;
}

std::function<void(std::int64_t)> Progress() {
  if (isatty(STDERR_FILENO) != 1) return {};
  return [](std::int64_t records) { std::fprintf(stderr, "\r%lld records ", static_cast<long long>(records)); };
}

Question Ask(const Given& given) {
  Question question;
  if (given.key) question.trust = {given.key->public_key, given.key->name};
  question.witnesses = given.witnesses;
  question.quorum = given.quorum;
  question.progress = Progress();
  return question;
}

OrProblem<Report> VerifyOne(TrailSource& source, const Question& question) {
  if (question.trust.public_key.empty() && (question.anchor || !question.claims.empty())) {
    return std::unexpected("there is no key to check checkpoints with: name it with --vkey");
  }
  Report report;
  auto verdict = Verify(source, question);
  if (question.progress) std::fputs("\r\x1b[K", stderr);
  if (!verdict) return std::unexpected("cannot read the trail: " + verdict.error().Message());
  report.verdict = std::move(*verdict);
  std::string name = question.trust.name;
  if (name.empty() && !report.verdict.findings.empty()) name = report.verdict.findings.back().claim.checkpoint.origin;
  if (const auto key = VerifierKey::Of(name, SignatureType::kEd25519, question.trust.public_key)) report.key.vkey = key->Print();
  return report;
}

int Show(const Arguments& arguments, const Report& report) {
  Print(arguments.json ? VerdictJson(report) : VerdictText(report));
  return std::fflush(stdout) == 0 ? ExitOf(report) : kExitUnchecked;
}

int RunBundle(const Arguments& arguments, Given given) {
  auto checkpoint = ReadClaim(arguments.bundle + "/checkpoint");
  if (!checkpoint) return CouldNotCheck(arguments, checkpoint.error());
  const bool own_key = !given.key;
  if (own_key) {
    auto key = ReadKey(arguments.bundle + "/vkey", SignatureType::kEd25519);
    if (!key) return CouldNotCheck(arguments, key.error() + "; name the key with --vkey");
    given.key = std::move(*key);
  }
  Question question = Ask(given);
  question.claims = std::move(given.claims);
  BundleSource source(arguments.bundle, checkpoint->checkpoint.head.size);
  question.claims.push_back(std::move(*checkpoint));
  auto report = VerifyOne(source, question);
  if (!report) return CouldNotCheck(arguments, report.error());
  report->key.source = own_key ? "the bundle's own: compare it with one that was noted" : "--vkey";
  return Show(arguments, *report);
}

// AskAbout is the question about one log, without checkpoints.
OrProblem<Question> AskAbout(const Log& log, const Given& given) {
  Question question = Ask(given);
  if (!given.key) {
    auto key = PublicKeyOf(*log.database);
    if (!key) return std::unexpected("cannot read the vault's row: " + key.error().Message());
    question.trust.public_key = std::move(*key);
  }
  return question;
}

// AskAll gives each checkpoint, and the anchor, to the log that names its origin, and to the first where none does: that says so.
OrProblem<std::vector<Question>> AskAll(const std::vector<Log>& logs, const Arguments& arguments, const Given& given) {
  std::vector<Question> questions;
  for (const Log& log : logs) {
    auto question = AskAbout(log, given);
    if (!question) return std::unexpected(question.error());
    questions.push_back(std::move(*question));
  }
  const auto of = [&](const std::string& origin) -> OrProblem<Question*> {
    const auto log = FindLog(logs, origin);
    if (!log) return std::unexpected("cannot read the trail: " + log.error().Message());
    return *log == nullptr ? &questions.front() : &questions[static_cast<std::size_t>(*log - logs.data())];
  };
  for (const Claim& claim : given.claims) {
    const auto question = of(claim.checkpoint.origin);
    if (!question) return std::unexpected(question.error());
    (*question)->claims.push_back(claim);
  }
  if (!ReadsHome(arguments)) return questions;
  const auto anchor = ReadAnchor(arguments);
  if (!anchor && anchor.error().code() != Code::kCorrupt) return std::unexpected(AnchorPath(arguments) + ": " + anchor.error().Message());
  const auto question = of(anchor && *anchor ? (*anchor)->checkpoint.origin : "");
  if (!question) return std::unexpected(question.error());
  // A database without a vault's row, and no anchor beside it, is no home's.
  if ((anchor && !*anchor) && (*question)->trust.public_key.empty()) return questions;
  (*question)->anchor = [&arguments] { return ReadAnchor(arguments); };
  return questions;
}

}  // namespace

// One document, or one a line for each of several logs.
int RunVerify(const Arguments& arguments) {
  auto given = ReadGiven(arguments);
  if (!given) return CouldNotCheck(arguments, given.error());
  if (!arguments.bundle.empty()) return RunBundle(arguments, std::move(*given));
  const auto logs = OpenLogs(arguments);
  if (!logs) return CouldNotCheck(arguments, logs.error());
  const auto questions = AskAll(*logs, arguments, *given);
  if (!questions) return CouldNotCheck(arguments, questions.error());
  const auto has_anchor = [](const Question& question) { return question.anchor != nullptr; };
  const bool anchored = std::any_of(questions->begin(), questions->end(), has_anchor);
  int code = kExitDone;
  for (std::size_t i = 0; i < logs->size(); ++i) {
    DatabaseSource source(*(*logs)[i].database);
    auto report = VerifyOne(source, (*questions)[i]);
    if (!report) return CouldNotCheck(arguments, report.error());
    report->node = (*logs)[i].node;
    report->key.source = given->key ? "--vkey" : "the database's own: compare it with one that was noted";
    report->elsewhere = anchored && !(*questions)[i].anchor && (*questions)[i].claims.empty();
    const int one = Show(arguments, *report);
    // What is wrong goes before what could not be told.
    const auto weight = [](int exit) { return exit == kExitBad ? 3 : exit == kExitUnchecked ? 2 : exit == kExitUnsigned ? 1 : 0; };
    if (weight(one) > weight(code)) code = one;
  }
  return code;
}

}  // namespace strongroom::audit
