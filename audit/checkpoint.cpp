#include "audit/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "audit/record.h"

namespace strongroom::audit {
namespace {

constexpr std::string_view kProofHeader = "c2sp.org/tlog-proof@v1";
constexpr std::size_t kMostPath = 63;

std::unexpected<Error> NoCheckpoint() { return Fail(Code::kInvalidArgument, "this is no checkpoint: origin, size and root, a line each"); }
std::unexpected<Error> NoProof() { return Fail(Code::kInvalidArgument, "this is no proof: c2sp.org/tlog-proof@v1 and what belongs to it"); }

// TakeLine cuts the first line off; nullopt where there is no newline.
std::optional<std::string_view> TakeLine(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

// ParseNumber takes ASCII digits without leading zeros.
std::optional<std::int64_t> ParseNumber(std::string_view text) {
  std::int64_t value = 0;
  const auto end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || value < 0 || value > kMostInteger) return std::nullopt;
  if (std::to_string(value) != text) return std::nullopt;
  return value;
}

std::optional<Hash> ParseHash(std::string_view text) {
  const auto bytes = FromBase64(text);
  Hash hash;
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

}  // namespace

std::string Checkpoint::Body() const { return origin + '\n' + std::to_string(head.size) + '\n' + Base64(head.root) + '\n'; }

Result<Checkpoint> Checkpoint::Parse(std::string_view text) {
  const auto origin = TakeLine(text), size = TakeLine(text), root = TakeLine(text);
  if (!origin || origin->empty() || !size || !root) return NoCheckpoint();
  const auto number = ParseNumber(*size);
  const auto hash = ParseHash(*root);
  if (!number || !hash) return NoCheckpoint();
  while (!text.empty()) {
    const auto extension = TakeLine(text);
    if (!extension || extension->empty()) return NoCheckpoint();
  }
  Checkpoint checkpoint;
  checkpoint.origin = *origin;
  checkpoint.head = {*number, *hash};
  return checkpoint;
}

std::string RecordProof::Print() const {
  std::string out = std::string(kProofHeader) + "\nindex " + std::to_string(index) + '\n';
  for (const Hash& hash : path) out += Base64(hash) + '\n';
  return out + '\n' + checkpoint.Print();
}

Result<RecordProof> RecordProof::Parse(std::string_view text) {
  RecordProof proof;
  if (TakeLine(text) != kProofHeader) return NoProof();
  auto line = TakeLine(text);
  if (line && line->starts_with("extra ")) {
    if (!FromBase64(line->substr(6))) return NoProof();
    line = TakeLine(text);
  }
  const auto index = line && line->starts_with("index ") ? ParseNumber(line->substr(6)) : std::nullopt;
  if (!index) return NoProof();
  proof.index = *index;
  for (line = TakeLine(text); line && !line->empty(); line = TakeLine(text)) {
    const auto hash = ParseHash(*line);
    if (!hash || proof.path.size() == kMostPath) return NoProof();
    proof.path.push_back(*hash);
  }
  if (!line) return NoProof();
  TRY_ASSIGN(proof.checkpoint, Note::Parse(text));
  return proof;
}

std::string ConsistencyRequest(std::int64_t old_size, const std::vector<Hash>& proof, const Note& checkpoint) {
  std::string out = "old " + std::to_string(old_size) + '\n';
  for (const Hash& hash : proof) out += Base64(hash) + '\n';
  return out + '\n' + checkpoint.Print();
}

}  // namespace strongroom::audit
