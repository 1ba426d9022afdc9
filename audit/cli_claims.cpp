#include "audit/cli_claims.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <utility>

#include "audit/anchor.h"
#include "audit/log_line.h"
#include "base/files.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kMostLogBytes = std::size_t{64} << 20;
constexpr std::string_view kNewest = "checkpoint";

OrProblem<std::string> ReadInput(std::size_t most) {
  std::string text;
  char chunk[16'384];
  while (true) {
    const ssize_t got = read(STDIN_FILENO, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected("standard input cannot be read");
    if (got == 0) return text;
    text.append(chunk, static_cast<std::size_t>(got));
    if (text.size() > most) return std::unexpected("standard input is too large");
  }
}

OrProblem<std::string> ReadText(const std::string& file, std::size_t most) {
  if (file == "-") return ReadInput(most);
  auto text = base::ReadFile(file, most);
  if (!text) return std::unexpected(file + " cannot be read: " + text.error().Message());
  return std::move(*text);
}

std::string NameOf(const std::string& file) { return file == "-" ? "standard input" : file; }

OrProblem<Claim> ClaimOf(const std::string& from, Result<Note> note) {
  if (!note) return std::unexpected(from + ": " + note.error().Message());
  auto claim = Claim::Of(from, std::move(*note));
  if (!claim) return std::unexpected(from + ": " + claim.error().Message());
  return std::move(*claim);
}

OrProblem<Claim> ClaimIn(const std::string& file, std::string_view text) {
  auto note = Note::Parse(text);
  if (!note && file != "-") {
    // A copy of a home's anchor is a checkpoint too.
    if (auto anchor = Anchor::Read(file)) note = std::move(anchor);
  }
  return ClaimOf(NameOf(file), std::move(note));
}

}  // namespace

OrProblem<Claim> ReadClaim(const std::string& file) {
  const auto text = ReadText(file, kMostNoteBytes);
  if (!text) return std::unexpected(text.error());
  return ClaimIn(file, *text);
}

OrProblem<std::vector<Claim>> ReadClaims(const std::string& file) {
  const auto text = ReadText(file, kMostLogBytes);
  if (!text) return std::unexpected(text.error());
  std::vector<Claim> claims;
  if (!text->starts_with('{')) {
    auto claim = ClaimIn(file, *text);
    if (!claim) return std::unexpected(claim.error());
    claims.push_back(std::move(*claim));
    return claims;
  }
  const auto notes = NotesIn(*text);
  if (!notes) return std::unexpected(NameOf(file) + ": " + notes.error().Message());
  for (const std::string& note : *notes) {
    auto claim = ClaimOf(NameOf(file), Note::Parse(note));
    if (!claim) return std::unexpected(claim.error());
    claim->group = NameOf(file);
    claims.push_back(std::move(*claim));
  }
  return claims;
}

std::vector<Claim> PublishedClaims(const std::string& directory, const std::vector<VerifierKey>& keys) {
  std::vector<std::string> hourly;
  std::error_code ignored;
  for (std::filesystem::directory_iterator entry(directory, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(std::string(kNewest) + "-")) hourly.push_back(name);
  }
  std::ranges::sort(hourly, std::greater());
  hourly.resize(std::min(hourly.size(), kMostHourly));
  hourly.insert(hourly.begin(), std::string(kNewest));
  std::vector<Claim> claims;
  for (const std::string& name : hourly) {
    auto claim = ReadClaim((std::filesystem::path(directory) / name).string());
    const auto signed_by = [&](const VerifierKey& key) { return CheckSignature(claim->note, key) == Signed::kYes; };
    if (!claim || keys.empty() || claim->checkpoint.origin != keys.front().name) continue;
    if (name != kNewest && std::ranges::none_of(keys, signed_by)) continue;
    claim->group = directory;
    claims.push_back(std::move(*claim));
  }
  return claims;
}

}  // namespace strongroom::audit
