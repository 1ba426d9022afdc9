#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <set>
#include <utility>

#include "audit/bundle.h"
#include "audit/cli_arguments.h"
#include "audit/cli_claims.h"
#include "audit/cli_report.h"
#include "audit/reader.h"
#include "base/config.h"
#include "base/log.h"

namespace strongroom::audit {
namespace {

int ExitOf(const Report& report) {
  if (report.verdict.fault) return kExitBad;
  return report.verdict.weakness == Weakness::kNone || report.beside ? kExitDone : kExitUnsigned;
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
  return Flushed() ? ExitOf(report) : kExitUnchecked;
}

// JudgeUnread is the report on a bundle whose checkpoint this key did not sign: it may claim any size, so its records are not read.
std::optional<Report> JudgeUnread(const Claim& checkpoint, const VerifierKey& key) {
  const auto signer = VerifierKey::Of(checkpoint.checkpoint.origin, SignatureType::kEd25519, key.public_key);
  const Signed by = signer ? CheckSignature(checkpoint.note, *signer) : Signed::kNot;
  if (by == Signed::kYes) return std::nullopt;
  const bool forged = by == Signed::kForged;
  Report report;
  report.verdict = Refuted({0, "signature",
                            (forged ? "the signature of " + checkpoint.from + " is forged" : checkpoint.from + " is not signed by the key that counts") +
                                ": its records were not read"});
  report.verdict.findings.push_back({checkpoint, forged ? ClaimState::kForged : ClaimState::kNotSigned});
  report.key.vkey = key.Print();
  return report;
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
  const KeySource source_of_key = own_key ? KeySource::kBundle : KeySource::kNamed;
  if (auto bad = JudgeUnread(*checkpoint, *given.key)) {
    bad->key.source = source_of_key;
    return Show(arguments, *bad);
  }
  Question question = Ask(given);
  question.claims = std::move(given.claims);
  BundleSource source(arguments.bundle, checkpoint->checkpoint.head.size);
  question.claims.push_back(std::move(*checkpoint));
  auto report = VerifyOne(source, question);
  if (!report) return CouldNotCheck(arguments, report.error());
  report->key.source = source_of_key;
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

// AddPublished adds the checkpoints that this home has published under the log's newest name, which vaultd looks at too when it starts.
void AddPublished(const Arguments& arguments, sql::Database& database, Question& question) {
  const auto config = base::LoadConfig(base::FindHome(arguments.home));
  const auto named = NamedKeysOf(database);
  if (!config || config->audit.checkpoints.empty() || !named || named->empty()) return;
  const std::string& name = named->back().key.name;
  const auto key = VerifierKey::Of(name, SignatureType::kEd25519, question.trust.public_key);
  const auto rotations = RotationsOf(database);
  if (!key || !rotations) return;
  // Whether those that it was rotated from and to count is seen with the records at hand.
  std::vector<VerifierKey> keys{*key};
  for (const Rotation& rotation : *rotations) {
    if (rotation.before.name == name) keys.insert(keys.end(), {rotation.before, rotation.after});
  }
  auto claims = PublishedClaims(config->audit.checkpoints, keys);
  question.claims.insert(question.claims.end(), std::make_move_iterator(claims.begin()), std::make_move_iterator(claims.end()));
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
  const std::string origin = anchor && *anchor ? (*anchor)->checkpoint.origin : "";
  const auto log = FindLog(logs, origin);
  if (!log) return std::unexpected("cannot read the trail: " + log.error().Message());
  // Another node's log, which was asked for by name, has its anchor elsewhere.
  if (*log == nullptr && !arguments.node.empty()) return questions;
  Question& question = *log == nullptr ? questions.front() : questions[static_cast<std::size_t>(*log - logs.data())];
  // A database without a vault's row, and no anchor beside it, is no home's.
  if (anchor && !*anchor && question.trust.public_key.empty()) return questions;
  question.anchor = [&arguments] { return ReadAnchor(arguments); };
  AddPublished(arguments, *logs[static_cast<std::size_t>(&question - questions.data())].database, question);
  return questions;
}

// FindGoneLogs is a report on each log that another one names, and of which nothing is in the database any more.
Result<std::vector<Report>> FindGoneLogs(const std::vector<Log>& logs) {
  std::vector<Report> reports;
  for (const Log& log : logs) {
    if (log.node.empty()) continue;
    TRY_ASSIGN(const auto there, ListLogs(*log.database));
    TRY_ASSIGN(const auto others, OtherLogsOf(*log.database));
    for (const auto& [node, other] : others) {
      if (std::ranges::find(there, node) != there.end() || std::ranges::find(reports, node, &Report::node) != reports.end()) continue;
      Report report;
      report.node = node;
      report.verdict = Refuted({0, "missing", "record " + std::to_string(other.seq) + " of the log of node " + log.node + " names this log (" +
                                                  other.verifier_key + "), and no record of it is in the database"});
      report.key.vkey = other.verifier_key;
      report.key.source = KeySource::kDatabase;
      reports.push_back(std::move(report));
    }
  }
  return reports;
}

}  // namespace

int CouldNotCheck(const Arguments& arguments, const std::string& problem) {
  if (arguments.json) {
    std::string out = R"({"verdict":"unchecked","detail":)";
    base::AppendJsonString(out, problem);
    Print(out + "}\n");
  }
  Complain(problem);
  return kExitUnchecked;
}

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
  // Two names of one key are one witness.
  std::set<Bytes> keys;
  for (const VerifierKey& witness : given.witnesses) keys.insert(witness.public_key);
  given.quorum = arguments.quorum.value_or(keys.size());
  if (given.quorum > keys.size()) return std::unexpected("--quorum asks for more witnesses than --witness names");
  for (const std::string& file : arguments.checkpoints) {
    auto claims = ReadClaims(file);
    if (!claims) return std::unexpected(claims.error());
    given.claims.insert(given.claims.end(), std::make_move_iterator(claims->begin()), std::make_move_iterator(claims->end()));
  }
  return given;
}

// One document, or one a line for each of several logs.
int RunVerify(const Arguments& arguments) {
  auto given = ReadGiven(arguments);
  if (!given) return CouldNotCheck(arguments, given.error());
  if (!arguments.proof.empty()) return RunVerifyProof(arguments, *given);
  if (!arguments.uses.empty()) return RunVerifyUses(arguments, *given);
  if (!arguments.bundle.empty()) return RunBundle(arguments, std::move(*given));
  const auto logs = OpenLogs(arguments);
  if (!logs) return CouldNotCheck(arguments, logs.error());
  const auto questions = AskAll(*logs, arguments, *given);
  if (!questions) return CouldNotCheck(arguments, questions.error());
  const auto has_anchor = [](const Question& question) { return question.anchor != nullptr; };
  const bool anchored = std::any_of(questions->begin(), questions->end(), has_anchor);
  int code = kExitDone;
  // What is wrong goes before what could not be told.
  const auto take = [&code](int one) {
    const auto weight = [](int exit) { return exit == kExitBad ? 3 : exit == kExitUnchecked ? 2 : exit == kExitUnsigned ? 1 : 0; };
    if (weight(one) > weight(code)) code = one;
  };
  if (const auto gone = FindGoneLogs(*logs); !gone) {
    take(CouldNotCheck(arguments, "cannot read the trail: " + gone.error().Message()));
  } else {
    for (const Report& report : *gone) take(Show(arguments, report));
  }
  for (std::size_t i = 0; i < logs->size(); ++i) {
    DatabaseSource source(*(*logs)[i].database);
    auto report = VerifyOne(source, (*questions)[i]);
    if (!report) {
      take(CouldNotCheck(arguments, report.error()));
      continue;
    }
    report->node = (*logs)[i].node;
    report->key.source = given->key ? KeySource::kNamed : KeySource::kDatabase;
    report->home = (*questions)[i].anchor != nullptr;
    report->elsewhere = ReadsHome(arguments) && !(*questions)[i].anchor && !report->node.empty();
    report->beside = report->elsewhere && anchored && (*questions)[i].claims.empty();
    take(Show(arguments, *report));
  }
  return code;
}

}  // namespace strongroom::audit
