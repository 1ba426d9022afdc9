#include "worker/json.h"

#include <charconv>
#include <cstring>

#include "base/bytes.h"

namespace strongroom::worker {
namespace {

constexpr std::size_t kUsualMembers = 12;  // of a provider's answer
constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Scanner moves over JSON text and fails where it is malformed.
class Scanner {
 public:
  Scanner(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  std::size_t at() const { return at_; }
  bool AtEnd() const { return at_ == text_.size(); }
  void Space() {
    while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  }
  bool Take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool Value(int depth) {
    if (AtEnd()) return false;
    switch (text_[at_]) {
      case '{':
      case '[': return depth < kMostJsonDepth && Container(depth + 1);
      case '"': return String();
      case 't': return Word("true");
      case 'f': return Word("false");
      case 'n': return Word("null");
      default: return Number();
    }
  }
  bool String() {
    if (!Take('"')) return false;
    while (true) {
      at_ += base::PlainRun(text_, at_);
      if (Take('"')) return true;
      if (!Take('\\') || !Escape()) return false;
    }
  }

 private:
  bool Word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  bool Digits() {
    const std::size_t start = at_;
    while (at_ < text_.size() && IsDigit(text_[at_])) ++at_;
    return at_ > start;
  }
  bool Number() {
    Take('-');
    if (!Take('0') && !Digits()) return false;
    if (Take('.') && !Digits()) return false;
    if (!Take('e') && !Take('E')) return true;
    if (!Take('+')) Take('-');
    return Digits();
  }
  bool Escape() {
    if (AtEnd()) return false;
    const char c = text_[at_++];
    if (c != 'u') return c != '\0' && std::strchr("\"\\/bfnrt", c) != nullptr;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (AtEnd()) return false;
      const char digit = text_[at_];
      if (!IsDigit(digit) && !(digit >= 'a' && digit <= 'f') && !(digit >= 'A' && digit <= 'F')) return false;
    }
    return true;
  }
  bool Container(int depth) {
    const bool object = text_[at_++] == '{';
    const char close = object ? '}' : ']';
    Space();
    if (Take(close)) return true;
    while (true) {
      if (object && !Name()) return false;
      if (!Value(depth)) return false;
      Space();
      if (Take(close)) return true;
      if (!Take(',')) return false;
      Space();
    }
  }
  bool Name() {
    if (!String()) return false;
    Space();
    if (!Take(':')) return false;
    Space();
    return true;
  }

  std::string_view text_;
  std::size_t at_;
};

void AppendPoint(std::string& out, std::uint32_t point) {
  const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xc0 | (point >> 6));
    return put(0x80 | (point & 0x3f));
  }
  if (point < 0x10000) {
    put(0xe0 | (point >> 12));
  } else {
    put(0xf0 | (point >> 18));
    put(0x80 | ((point >> 12) & 0x3f));
  }
  put(0x80 | ((point >> 6) & 0x3f));
  put(0x80 | (point & 0x3f));
}

// Hex4 reads the four digits of a checked \u escape.
std::uint32_t Hex4(std::string_view digits) {
  std::uint32_t value = 0;
  std::from_chars(digits.data(), digits.data() + 4, value, 16);
  return value;
}

bool IsHigh(std::uint32_t unit) { return unit >= 0xd800 && unit <= 0xdbff; }
bool IsLow(std::uint32_t unit) { return unit >= 0xdc00 && unit <= 0xdfff; }

// UnicodeEscape reads the escape at text[at] == 'u', with its second half where it has one; nullopt for half a pair.
// `at` moves behind what was read.
std::optional<std::uint32_t> UnicodeEscape(std::string_view text, std::size_t& at) {
  const std::uint32_t unit = Hex4(text.substr(at + 1));
  at += 5;
  if (!IsHigh(unit) && !IsLow(unit)) return unit;
  if (IsLow(unit) || !text.substr(at).starts_with("\\u")) return std::nullopt;
  const std::uint32_t low = Hex4(text.substr(at + 2));
  if (!IsLow(low)) return std::nullopt;
  at += 6;
  return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

char Unescaped(char c) {
  switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return c;
  }
}

// Decode reads a checked string with its quotes.
std::string Decode(std::string_view quoted) {
  const std::string_view text = quoted.substr(1, quoted.size() - 2);
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t escape = text.find('\\', at);
    out += text.substr(at, escape - at);
    if (escape == std::string_view::npos) break;
    at = escape + 1;
    if (text[at] != 'u') {
      out += Unescaped(text[at++]);
    } else if (const auto point = UnicodeEscape(text, at)) {
      AppendPoint(out, *point);
    } else {
      out += kReplacement;
    }
  }
  return base::IsUtf8(out) ? out : RepairUtf8(out);
}

}  // namespace

std::optional<JsonValue> JsonValue::Parse(std::string_view text) {
  Scanner scanner(text, 0);
  scanner.Space();
  const std::size_t start = scanner.at();
  if (!scanner.Value(0)) return std::nullopt;
  const std::size_t end = scanner.at();
  scanner.Space();
  if (!scanner.AtEnd()) return std::nullopt;
  return JsonValue(text.substr(start, end - start));
}

std::optional<std::string> JsonValue::Text() const {
  if (!is_string()) return std::nullopt;
  return Decode(raw_);
}

std::optional<std::int64_t> JsonValue::Integer() const {
  std::int64_t value = 0;
  const char* end = raw_.data() + raw_.size();
  const auto [stop, error] = std::from_chars(raw_.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<double> JsonValue::Number() const {
  if (raw_.front() != '-' && !IsDigit(raw_.front())) return std::nullopt;
  double value = 0;
  const auto [stop, error] = std::from_chars(raw_.data(), raw_.data() + raw_.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

JsonWalk::JsonWalk(std::string_view text) : text_(text) {
  Scanner scanner(text, 0);
  scanner.Space();
  at_ = scanner.at();
  if (at_ == text.size() || (text[at_] != '{' && text[at_] != '[')) {
    over_ = true;
    return;
  }
  close_ = text[at_++] == '{' ? '}' : ']';
}

std::optional<JsonValue> JsonWalk::End(bool whole) {
  over_ = true;
  whole_ = whole;
  return std::nullopt;
}

std::optional<JsonValue> JsonWalk::Next() {
  if (over_) return std::nullopt;
  Scanner scanner(text_, at_);
  scanner.Space();
  if (scanner.Take(close_)) {
    scanner.Space();
    return End(scanner.AtEnd());
  }
  if (!first_ && !scanner.Take(',')) return End(false);
  scanner.Space();
  first_ = false;
  if (close_ == '}') {
    const std::size_t start = scanner.at();
    if (!scanner.String()) return End(false);
    name_ = text_.substr(start, scanner.at() - start);
    scanner.Space();
    if (!scanner.Take(':')) return End(false);
    scanner.Space();
  }
  const std::size_t start = scanner.at();
  if (!scanner.Value(1)) return End(false);
  at_ = scanner.at();
  return JsonValue(text_.substr(start, at_ - start));
}

std::string JsonWalk::name() const { return name_.empty() ? std::string() : Decode(name_); }

std::vector<JsonObject::Member> JsonObject::Read(JsonWalk& walk) {
  std::vector<Member> members;
  if (walk.close_ != '}') return members;
  members.reserve(kUsualMembers);
  while (auto value = walk.Next()) members.push_back({walk.name_, *value});
  return members;
}

JsonObject::JsonObject(JsonValue value) {
  JsonWalk walk(value);
  members_ = Read(walk);
}

std::optional<JsonObject> JsonObject::Parse(std::string_view text) {
  JsonWalk walk(text);
  std::vector<Member> members = Read(walk);
  if (!walk.whole()) return std::nullopt;
  return JsonObject(std::move(members));
}

std::optional<JsonValue> JsonObject::Find(std::string_view name) const {
  for (const Member& member : members_) {
    const std::string_view plain = member.name.substr(1, member.name.size() - 2);
    if (plain.find('\\') == std::string_view::npos ? plain == name : Decode(member.name) == name) return member.value;
  }
  return std::nullopt;
}

bool HasLoneSurrogate(std::string_view json) {
  for (std::size_t at = json.find('\\'); at != std::string_view::npos; at = json.find('\\', at)) {
    ++at;
    if (json[at] != 'u') {
      ++at;
    } else if (!UnicodeEscape(json, at)) {
      return true;
    }
  }
  return false;
}

std::string RepairUtf8(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    const std::string_view character = text.substr(at, length);
    const bool good = base::IsUtf8(character);
    out += good ? character : kReplacement;
    at += good ? character.size() : 1;
  }
  return out;
}

std::string_view CutUtf8(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return text.substr(0, most);
}

void AppendNumber(std::string& out, double number) {
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number == 0 ? 0.0 : number);
  out.append(digits, end);
}

}  // namespace strongroom::worker
