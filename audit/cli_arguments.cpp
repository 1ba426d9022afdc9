#include "audit/cli_arguments.h"

#include <cstdio>
#include <utility>

#include "audit/anchor.h"
#include "base/config.h"
#include "base/files.h"
#include "base/printable.h"

namespace strongroom::audit {
namespace {

constexpr std::string_view kAnchorFile = "anchor";

}  // namespace

void Print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

bool Flushed() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return true;
  Complain("the answer could not be written");
  return false;
}

void Complain(std::string_view problem) { std::fprintf(stderr, "auditlog: %s\n", base::Printable(problem).c_str()); }

void TellPruned(const std::vector<Log>& logs, std::optional<base::Micros> since) {
  const auto notes = PrunedNotes(logs, since);
  if (!notes) return Complain("whether records were pruned cannot be read: " + notes.error().Message());
  for (const std::string& note : *notes) Complain(note);
}

bool ReadsHome(const Arguments& arguments) { return arguments.database.empty() && arguments.bundle.empty(); }

std::string AnchorPath(const Arguments& arguments) { return base::FindHome(arguments.home) + '/' + std::string(kAnchorFile); }

Result<std::optional<Claim>> ReadAnchor(const Arguments& arguments) {
  const std::string path = AnchorPath(arguments);
  auto note = Anchor::Read(path);
  if (!note && note.error().code() == Code::kNotFound) return std::nullopt;
  if (!note) return std::unexpected(note.error());
  TRY_ASSIGN(Claim claim, Claim::Of(path, std::move(*note)));
  claim.own = true;
  return claim;
}

OrProblem<VerifierKey> ReadKey(const std::string& text, SignatureType type) {
  auto key = VerifierKey::Parse(text);
  if (!key) {
    const auto file = base::ReadFile(text, kMostNoteBytes);
    if (!file && file.error().code() == Code::kNotFound) {
      return std::unexpected(text + " is no verifier key, and no file with one: " + key.error().Message());
    }
    if (!file) return std::unexpected(text + " cannot be read: " + file.error().Message());
    key = VerifierKey::Parse(std::string_view(*file).substr(0, file->find('\n')));
    if (!key) return std::unexpected("the first line of " + text + ": " + key.error().Message());
  }
  if (key->type != type) {
    return std::unexpected(type == SignatureType::kEd25519 ? "--vkey takes the key of a log (type 1), not that of a witness"
                                                           : "--witness takes the key of a witness (type 4, cosignature/v1), not that of a log");
  }
  return std::move(*key);
}

Result<Bytes> PublicKeyOf(sql::Database& database) {
  if (database.engine() != sql::Engine::kSqlite) {
    TRY_ASSIGN(sql::Statement * node, database.QueryOne("SELECT VERIFIER_KEY FROM NODE WHERE NODE_ID = current_setting('strongroom.node')"));
    const std::string said = node == nullptr ? std::string() : node->Text(0);
    if (node != nullptr) node->Reset();
    if (auto key = VerifierKey::Parse(said)) return std::move(key->public_key);
  }
  TRY_ASSIGN(sql::Statement * row, database.QueryOne("SELECT TRAIL_PUBLIC_KEY FROM VAULT"));
  if (row == nullptr) return Bytes();
  Bytes key = row->Blob(0);
  row->Reset();
  return key;
}

Result<const Log*> FindLog(const std::vector<Log>& logs, const std::string& origin) {
  if (logs.size() == 1 && logs.front().node.empty()) return &logs.front();
  for (const Log& log : logs) {
    TRY_ASSIGN(const auto named, NamedKeysOf(*log.database));
    for (const NamedKey& one : named) {
      if (one.key.name == origin) return &log;
    }
  }
  return nullptr;
}

}  // namespace strongroom::audit
