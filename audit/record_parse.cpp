// Reading a record back. There is one way to write a record, so the reader knows what comes next at every byte; what
// it lets pass that Serialize would not have written is caught by writing the record again.
#include <charconv>

#include "audit/record.h"

namespace strongroom::audit {
namespace {

// Reader reads members in their one order. The first thing that is not as expected latches failure.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  void Expect(std::string_view text) {
    if (!Skip(text)) failed_ = true;
  }
  std::string Text(std::string_view name) {
    Expect(name);
    return String();
  }
  std::optional<std::string> OptionalText(std::string_view name) {
    return Skip(name) ? std::optional(String()) : std::nullopt;
  }
  std::int64_t Integer(std::string_view name) {
    Expect(name);
    return Number();
  }
  std::optional<std::int64_t> OptionalInteger(std::string_view name) {
    return Skip(name) ? std::optional(Number()) : std::nullopt;
  }
  std::optional<Facts> OptionalObject(std::string_view name) {
    if (!Skip(name)) return std::nullopt;
    Facts facts;
    Expect("{");
    if (Skip("}")) return facts;
    while (!failed_) {
      std::string fact = String();
      Expect(":");
      facts[std::move(fact)] = String();
      if (Skip("}")) break;
      Expect(",");
    }
    return facts;
  }
  bool Finished() const { return !failed_ && rest_.empty(); }

 private:
  bool Skip(std::string_view text) {
    if (failed_ || !rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  std::int64_t Number() {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc{}) failed_ = true;
    if (failed_) return 0;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }

  std::string String() {
    std::string text;
    Expect("\"");
    while (!failed_) {
      const std::size_t plain = base::PlainRun(rest_, 0);
      text += rest_.substr(0, plain);
      rest_.remove_prefix(plain);
      if (Skip("\"")) return text;
      text += Escape();
    }
    failed_ = true;
    return {};
  }

  char Escape() {
    constexpr std::string_view kLetters = "\"\\bfnrt";
    constexpr std::string_view kMeanings = "\"\\\b\f\n\r\t";
    Expect("\\");
    if (Skip("u00")) return ControlCharacter();
    const std::size_t which = rest_.empty() ? std::string_view::npos : kLetters.find(rest_.front());
    if (which == std::string_view::npos) {
      failed_ = true;
      return 0;
    }
    rest_.remove_prefix(1);
    return kMeanings[which];
  }

  char ControlCharacter() {
    unsigned value = 0;
    const std::string_view digits = rest_.substr(0, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (error != std::errc{} || end != rest_.data() + 2 || value > 0x1f) {
      failed_ = true;
      return 0;
    }
    rest_.remove_prefix(2);
    return static_cast<char>(value);
  }

  std::string_view rest_;
  bool failed_ = false;
};

std::optional<Outcome> FindOutcome(std::string_view name) {
  for (const Outcome outcome : {Outcome::kOk, Outcome::kDenied, Outcome::kError}) {
    if (OutcomeName(outcome) == name) return outcome;
  }
  return std::nullopt;
}

// ReadMembers mirrors Write in record.cpp, member by member.
bool ReadMembers(Reader& reader, Entry& entry) {
  Draft& draft = entry.draft;
  Actor& actor = draft.actor;
  Place& place = entry.place;
  draft.action = reader.Text(R"({"action":)");
  actor.gid = reader.Integer(R"(,"actor":{"gid":)");
  actor.name = reader.Text(R"(,"name":)");
  actor.pid = reader.Integer(R"(,"pid":)");
  actor.pid_start = static_cast<std::uint64_t>(reader.Integer(R"(,"pid_start":)"));
  actor.role = reader.OptionalText(R"(,"role":)").value_or("");
  actor.uid = reader.Integer(R"(,"uid":)");
  reader.Expect("}");
  draft.after = reader.OptionalObject(R"(,"after":)");
  draft.before = reader.OptionalObject(R"(,"before":)");
  place.boot = reader.Text(R"(,"boot":)");
  draft.customer = reader.OptionalText(R"(,"customer":)");
  draft.epoch = reader.OptionalInteger(R"(,"epoch":)");
  draft.key_ref = reader.OptionalText(R"(,"key_ref":)");
  draft.key_version = reader.OptionalInteger(R"(,"key_version":)");
  place.log = reader.Text(R"(,"log":)");
  place.mono_us = reader.Integer(R"(,"mono_us":)");
  const auto outcome = FindOutcome(reader.Text(R"(,"outcome":)"));
  draft.policy_rev = reader.OptionalInteger(R"(,"policy_rev":)");
  place.prev = reader.Text(R"(,"prev":)");
  draft.purpose = reader.OptionalText(R"(,"purpose":)");
  draft.reason = reader.OptionalText(R"(,"reason":)");
  draft.request_id = reader.OptionalText(R"(,"request_id":)");
  place.seq = reader.Integer(R"(,"seq":)");
  const auto time = base::ParseTime(reader.Text(R"(,"time":)"));
  reader.Expect(R"(,"v":1})");
  draft.outcome = outcome.value_or(Outcome::kError);
  place.time = time.value_or(0);
  return reader.Finished() && outcome && time;
}

}  // namespace

Result<Entry> Parse(std::string_view bytes) {
  constexpr base::Literal kBad = "not a record of the trail: it is not as FORMAT.md has it";
  if (bytes.size() > kMostRecordBytes) return Fail(Code::kCorrupt, kBad);
  Entry entry;
  Reader reader(bytes);
  if (!ReadMembers(reader, entry) || !IsPlace(entry.place) || !IsFitted(entry.draft)) return Fail(Code::kCorrupt, kBad);
  if (SerializeFitted(entry.draft, entry.place) != bytes) return Fail(Code::kCorrupt, kBad);
  entry.bytes = bytes;
  return entry;
}

}  // namespace strongroom::audit
