#include "audit/uses.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "audit/record.h"

namespace strongroom::audit {
namespace {

using Json = nlohmann::json;

// A record at its longest, each byte of it escaped, and a proof.
constexpr std::size_t kMostLine = 6 * kMostRecordBytes + (64 << 10);

std::optional<std::string> TextOf(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
}

std::optional<std::int64_t> NumberOf(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? std::optional(found->get<std::int64_t>()) : std::nullopt;
}

class Reading {
 public:
  Reading(std::istream& lines, const std::function<Signed(const Note&, const Checkpoint&)>& trusts) : lines_(lines), trusts_(trusts) {}
  UsesVerdict Run();

 private:
  // Line is the next line as an object; nullopt where there is none, or none that can be read.
  std::optional<Json> Line();
  bool TakeHeader();
  bool TakeUse(const Json& line);
  bool TakeEnd(const Json& line);
  bool Is(const Entry& entry) const;
  bool Wrong(std::string kind, std::string detail, std::optional<std::int64_t> seq = std::nullopt) {
    verdict_.kind = std::move(kind);
    verdict_.detail = std::move(detail);
    verdict_.seq = seq;
    return false;
  }

  std::istream& lines_;
  const std::function<Signed(const Note&, const Checkpoint&)>& trusts_;
  std::vector<char> buffer_ = std::vector<char>(kMostLine);
  std::string note_text_;
  std::int64_t last_ = -1;
  UsesVerdict verdict_;
};

std::optional<Json> Reading::Line() {
  lines_.getline(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
  // A line without its newline was cut off, one that is too long was never written.
  if (!lines_ || lines_.eof()) return std::nullopt;
  const std::string_view text(buffer_.data(), static_cast<std::size_t>(lines_.gcount() - 1));
  // To the parser a NUL is the end: what stands behind it would be read by nobody.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  Json line = Json::parse(text, nullptr, false);
  return line.is_object() ? std::optional(std::move(line)) : std::nullopt;
}

bool Reading::TakeHeader() {
  const auto header = Line();
  const auto format = header ? TextOf(*header, "format") : std::nullopt;
  if (format != kUsesFormat) return Wrong("malformed", "this is no list of uses: its first line is not one of " + std::string(kUsesFormat));
  const auto key_ref = TextOf(*header, "key_ref"), since = TextOf(*header, "since"), note_text = TextOf(*header, "checkpoint");
  const auto from = since ? base::ParseTime(*since) : Result<base::Micros>(Fail(Code::kInvalidArgument, "no time"));
  auto note = note_text ? Note::Parse(*note_text) : Result<Note>(Fail(Code::kInvalidArgument, "no note"));
  auto checkpoint = note ? Checkpoint::Parse(note->text) : Result<Checkpoint>(std::unexpected(note.error()));
  if (!key_ref || !from || !checkpoint) return Wrong("malformed", "the first line lacks its key, its time or its checkpoint");
  verdict_.key_ref = *key_ref;
  verdict_.since = *from;
  verdict_.checkpoint = std::move(*checkpoint);
  verdict_.note = std::move(*note);
  note_text_ = *note_text;
  switch (trusts_(verdict_.note, verdict_.checkpoint)) {
    case Signed::kYes: return true;
    case Signed::kNot: return Wrong("signature", "its checkpoint is not signed by the key; where the log's signing key was changed since, the one from then is wanted: auditlog vkey --json lists it");
    case Signed::kForged: return Wrong("signature", "the signature of its checkpoint is forged");
  }
  return false;
}

bool Reading::Is(const Entry& entry) const {
  const Draft& draft = entry.draft;
  return draft.key_ref == verdict_.key_ref && draft.outcome == Outcome::kOk && entry.place.time >= verdict_.since &&
         IsReleaseAction(draft.action);
}

bool Reading::TakeUse(const Json& line) {
  const auto seq = NumberOf(line, "seq");
  const auto record = TextOf(line, "record"), proof_text = TextOf(line, "proof");
  if (!seq || !record) return Wrong("malformed", "a line is neither a use nor the end");
  if (!proof_text) return Wrong("changed", "it was not proven: the database had been altered when the list was written", seq);
  const auto proof = RecordProof::Parse(*proof_text);
  if (!proof) return Wrong("malformed", "its proof is none", seq);
  // One checkpoint for all, whose signature was looked at.
  if (proof->checkpoint.Print() != note_text_) return Wrong("signature", "its proof is of another checkpoint than the first line's", seq);
  if (proof->index != *seq || !VerifyInclusion(proof->index, verdict_.checkpoint.head, HashLeaf(*record), proof->path)) {
    return Wrong("changed", "this is not the record that stands at that seq under the checkpoint", seq);
  }
  const auto entry = Parse(*record);
  if (!entry || entry->place.seq != *seq || !Is(*entry)) return Wrong("changed", "the record is no use of this key in that time", seq);
  if (*seq <= last_) return Wrong("changed", "it is in the list twice, or not in its place", seq);
  last_ = *seq;
  ++verdict_.uses;
  return true;
}

bool Reading::TakeEnd(const Json& line) {
  const auto uses = NumberOf(line, "uses"), unproven = NumberOf(line, "unproven");
  if (!uses || !unproven) return Wrong("malformed", "the last line does not say how many uses there are");
  if (*uses != verdict_.uses || *unproven != 0) return Wrong("truncated", "the last line tells of " + std::to_string(*uses) + " uses");
  if (lines_.peek() != std::istream::traits_type::eof()) return Wrong("malformed", "there is something behind the last line");
  return true;
}

UsesVerdict Reading::Run() {
  if (!TakeHeader()) return std::move(verdict_);
  for (;;) {
    const auto line = Line();
    if (!line) {
      Wrong("truncated", "it ends, or cannot be read, behind " + std::to_string(verdict_.uses) + " uses");
      return std::move(verdict_);
    }
    const bool end = line->contains("uses");
    const bool sound = end ? TakeEnd(*line) : TakeUse(*line);
    if (end || !sound) return std::move(verdict_);
  }
}

}  // namespace

UsesVerdict VerifyUses(std::istream& lines, const std::function<Signed(const Note&, const Checkpoint&)>& trusts) {
  return Reading(lines, trusts).Run();
}

}  // namespace strongroom::audit
