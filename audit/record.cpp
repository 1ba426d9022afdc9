#include "audit/record.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "audit/merkle.h"
#include "base/log.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kMostFacts = 32;
constexpr std::size_t kMostFactNameBytes = 64;
constexpr std::size_t kMostPlainNameBytes = 128;
// Names, numbers, punctuation and the place of a record are under 1,024 bytes; the rest is for texts and facts.
constexpr std::size_t kMostContentBytes = kMostRecordBytes - 1024;
constexpr base::Micros kMostTime = 253'402'300'799'999'999;  // 9999-12-31T23:59:59.999999Z
constexpr std::string_view kCutMark = "\xe2\x80\xa6";         // U+2026
constexpr std::string_view kReplacement = "\xef\xbf\xbd";     // U+FFFD

bool IsPrintable(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

// IsPlain is true where every character is printable; eight at a time, since every text of every record is looked through.
bool IsPlain(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHigh = kOnes * 0x80;
  const auto has_zero = [](std::uint64_t bytes) { return (bytes - kOnes) & ~bytes & kHigh; };
  std::uint64_t bytes = 0, odd = 0;
  for (; text.size() >= sizeof bytes; text.remove_prefix(sizeof bytes)) {
    std::memcpy(&bytes, text.data(), sizeof bytes);
    const std::uint64_t below_space = (bytes - kOnes * 0x20) & ~bytes & kHigh;
    const std::uint64_t delete_or_above = ((bytes + kOnes) | bytes) & kHigh;
    odd |= below_space | delete_or_above | has_zero(bytes ^ (kOnes * '"')) | has_zero(bytes ^ (kOnes * '\\'));
  }
  return odd == 0 && std::all_of(text.begin(), text.end(), IsPrintable);
}

// EscapedSize is how many bytes a text takes between its quotes.
std::size_t EscapedSize(std::string_view text) {
  std::size_t size = text.size();
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '\b' || c == '\f' || c == '\n' || c == '\r' || c == '\t') {
      size += 1;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      size += 5;
    }
  }
  return size;
}

template <typename D, typename Visit>
void ForEachText(D& draft, const Visit& visit) {
  visit(draft.action);
  visit(draft.actor.name);
  visit(draft.actor.role);
  for (auto* text : {&draft.customer, &draft.key_ref, &draft.request_id, &draft.purpose, &draft.reason}) {
    if (*text) visit(**text);
  }
}

bool IsFactName(std::string_view name) {
  return !name.empty() && name.size() <= kMostFactNameBytes && IsPlain(name);
}

bool IsFit(const Draft& draft, std::size_t most_text) {
  std::size_t content = 0;
  bool fit = true;
  const auto measure = [&](const std::string& text) {
    const bool plain = IsPlain(text);
    if (text.size() > most_text || (!plain && !base::IsUtf8(text))) fit = false;
    content += plain ? text.size() : EscapedSize(text);
  };
  ForEachText(draft, measure);
  for (const auto* facts : {&draft.before, &draft.after}) {
    if (!*facts) continue;
    if ((*facts)->size() > kMostFacts) fit = false;
    for (const auto& [name, value] : **facts) {
      if (!IsFactName(name)) fit = false;
      measure(value);
      content += name.size() + std::string_view(R"("":"",)").size();
    }
  }
  return fit && content <= kMostContentBytes;
}

bool AreNumbers(const Place& place) {
  return place.seq >= 0 && place.seq <= kMostInteger && place.time >= 0 && place.time <= kMostTime && place.mono_us >= 0 &&
         place.mono_us <= kMostInteger;
}

// Repair replaces each byte that is no part of a UTF-8 sequence.
std::string Repair(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t length = 1;
    while (length <= 4 && length <= text.size() && !base::IsUtf8(text.substr(0, length))) ++length;
    if (length <= 4 && length <= text.size()) {
      out += text.substr(0, length);
    } else {
      out += kReplacement;
      length = 1;
    }
    text.remove_prefix(length);
  }
  return out;
}

// Boundary moves a cut back to where a UTF-8 sequence begins.
std::size_t Boundary(std::string_view text, std::size_t end) {
  for (int step = 0; step < 3 && end > 0 && end < text.size(); ++step, --end) {
    if ((static_cast<unsigned char>(text[end]) & 0xc0) != 0x80) break;
  }
  return end;
}

void FitText(std::string& text, std::size_t most) {
  // What will be cut off is not repaired first: a text may be of any size.
  const bool cut = text.size() > most;
  if (cut) text.resize(Boundary(text, most));
  if (!base::IsUtf8(text)) text = Repair(text);
  if (!cut && text.size() <= most) return;
  text.resize(Boundary(text, std::min(text.size(), most - kCutMark.size())));
  text += kCutMark;
}

void FitFacts(Facts& facts, std::size_t most) {
  Facts fitted;
  for (auto& [name, value] : facts) {
    if (fitted.size() == kMostFacts) break;
    std::string plain = name.empty() ? "?" : name.substr(0, kMostFactNameBytes);
    std::replace_if(plain.begin(), plain.end(), [](char c) { return !IsPrintable(c); }, '?');
    FitText(value, most);
    fitted.emplace(std::move(plain), std::move(value));
  }
  facts = std::move(fitted);
}

// Writer appends members. A member's name is written with its punctuation (`,"seq":`), as a literal.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void Raw(std::string_view text) { out_ += text; }
  void Text(std::string_view name, std::string_view text) {
    out_ += name;
    String(text);
  }
  // Plain is Text of what is known to need no escapes.
  void Plain(std::string_view name, std::string_view text) {
    out_ += name;
    out_ += '"';
    out_ += text;
    out_ += '"';
  }
  void OptionalText(std::string_view name, const std::optional<std::string>& text) {
    if (text) Text(name, *text);
  }
  void Integer(std::string_view name, std::int64_t value) {
    out_ += name;
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                   std::clamp(value, -kMostInteger, kMostInteger));
    out_.append(digits.data(), end.ptr);
  }
  void OptionalInteger(std::string_view name, const std::optional<std::int64_t>& value) {
    if (value) Integer(name, *value);
  }
  void OptionalObject(std::string_view name, const std::optional<Facts>& facts) {
    if (!facts) return;
    out_ += name;
    char before = '{';
    for (const auto& [fact, value] : *facts) {
      out_ += before;
      String(fact);
      out_ += ':';
      String(value);
      before = ',';
    }
    out_ += facts->empty() ? "{}" : "}";
  }

 private:
  void String(std::string_view text) {
    if (!IsPlain(text)) return base::AppendJsonString(out_, text);
    out_ += '"';
    out_ += text;
    out_ += '"';
  }

  std::string& out_;
};

// Write puts the members in byte order of their names. FORMAT.md lists them in the same order.
void Write(Writer writer, const Draft& draft, const Place& place) {
  const Actor& actor = draft.actor;
  writer.Text(R"({"action":)", draft.action);
  writer.Integer(R"(,"actor":{"gid":)", actor.gid);
  writer.Text(R"(,"name":)", actor.name);
  writer.Integer(R"(,"pid":)", actor.pid);
  writer.Integer(R"(,"pid_start":)",
                 static_cast<std::int64_t>(std::min(actor.pid_start, static_cast<std::uint64_t>(kMostInteger))));
  if (!actor.role.empty()) writer.Text(R"(,"role":)", actor.role);
  writer.Integer(R"(,"uid":)", actor.uid);
  writer.Raw("}");
  writer.OptionalObject(R"(,"after":)", draft.after);
  writer.OptionalObject(R"(,"before":)", draft.before);
  writer.Plain(R"(,"boot":)", place.boot);
  writer.OptionalText(R"(,"customer":)", draft.customer);
  writer.OptionalInteger(R"(,"epoch":)", draft.epoch);
  writer.OptionalText(R"(,"key_ref":)", draft.key_ref);
  writer.OptionalInteger(R"(,"key_version":)", draft.key_version);
  writer.Plain(R"(,"log":)", place.log);
  writer.Integer(R"(,"mono_us":)", place.mono_us);
  writer.Plain(R"(,"outcome":)", OutcomeName(draft.outcome));
  writer.OptionalInteger(R"(,"policy_rev":)", draft.policy_rev);
  writer.Plain(R"(,"prev":)", place.prev);
  writer.OptionalText(R"(,"purpose":)", draft.purpose);
  writer.OptionalText(R"(,"reason":)", draft.reason);
  writer.OptionalText(R"(,"request_id":)", draft.request_id);
  writer.Integer(R"(,"seq":)", place.seq);
  writer.Plain(R"(,"time":)", base::FormatTime(place.time));
  writer.Raw(R"(,"v":1})");
}

}  // namespace

std::string_view OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk: return "ok";
    case Outcome::kDenied: return "denied";
    case Outcome::kError: break;
  }
  return "error";
}

bool IsReleaseAction(std::string_view action) { return action == "resolve" || action == "probe" || action == "probe_suspect"; }

bool IsPlainName(std::string_view name) {
  return !name.empty() && name.size() <= kMostPlainNameBytes && IsPlain(name) &&
         name.find(' ') == std::string_view::npos;
}

bool IsPlace(const Place& place) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return IsPlainName(place.log) && IsPlainName(place.boot) && AreNumbers(place) && place.prev.size() == kNoRecord.size() &&
         std::all_of(place.prev.begin(), place.prev.end(), is_hex);
}

bool IsFitted(const Draft& draft) { return IsFit(draft, kMostTextBytes); }

void Fit(Draft& draft) {
  if (IsFitted(draft)) return;
  // Escapes can make a text six times as long. The last step always fits: 8 texts and 64 facts of 20 bytes.
  for (const std::size_t most : {kMostTextBytes, std::size_t{500}, std::size_t{100}, std::size_t{20}}) {
    ForEachText(draft, [most](std::string& text) { FitText(text, most); });
    if (draft.before) FitFacts(*draft.before, most);
    if (draft.after) FitFacts(*draft.after, most);
    if (IsFit(draft, most)) return;
  }
  CHECK(false && "a draft can always be made to fit");
}

std::string Serialize(const Draft& draft, const Place& place) {
  CHECK(IsPlace(place));
  if (IsFitted(draft)) return SerializeFitted(draft, place);
  Draft fitted = draft;
  Fit(fitted);
  return SerializeFitted(fitted, place);
}

std::string SerializeFitted(const Draft& draft, const Place& place) {
  CHECK(AreNumbers(place) && place.prev.size() == kNoRecord.size());
  std::string out;
  out.reserve(1024);
  Write(Writer(out), draft, place);
  CHECK(out.size() <= kMostRecordBytes);
  return out;
}

std::string LeafHash(std::string_view record) { return base::Hex(HashLeaf(record)); }

}  // namespace strongroom::audit
