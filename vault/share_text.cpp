// The text of a share: printed, parsed, and taken line by line.
#include <sodium.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/printable.h"
#include "vault/share_code.h"
#include "vault/shares.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kTitle = "STRONGROOM RECOVERY SHARE 1";
constexpr std::string_view kDomain = "strongroom/share/v1";
constexpr std::string_view kSetName = "set        ", kShareName = "share      ", kCustodianName = "custodian  ";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kGroup = 4;
// Version, set id, index, threshold, how many: then the piece itself, and four bytes that check all of it.
constexpr std::size_t kIdAt = 1, kIndexAt = kIdAt + kLineBytes, kValueAt = kIndexAt + 3, kCheckAt = kValueAt + kShareBytes,
                      kCheckBytes = 4, kPayloadBytes = kCheckAt + kCheckBytes;
static_assert(kPayloadBytes == Shares::kLines * kLineBytes);

using Symbols = std::array<std::uint8_t, kLineSymbols>;

// Scrubbed is symbols that are wiped when they go.
struct Scrubbed {
  Scrubbed() = default;
  Scrubbed(const Scrubbed&) = delete;
  Scrubbed& operator=(const Scrubbed&) = delete;
  ~Scrubbed() {
    sodium_memzero(symbols.data(), symbols.size());
    ClearRegisters();
  }
  Symbols symbols{};
};

std::unexpected<ShareProblem> Problem(std::string text) { return std::unexpected(ShareProblem{std::move(text)}); }
std::unexpected<ShareProblem> Problem(const Error& error) { return Problem(error.Message()); }
std::string Line(std::uint8_t number) { return "line " + std::to_string(number); }
std::string PlaceIn(std::size_t at) {
  return "character " + std::to_string(at % kGroup + 1) + " of group " + std::to_string(at / kGroup + 1);
}

// What a share says of itself before its five lines.
std::string Heading(const ShareFacts& facts) {
  std::string text(kTitle);
  text += '\n' + std::string(kSetName) + facts.set_id + '\n';
  text += std::string(kShareName) + std::to_string(facts.index) + " of " + std::to_string(facts.shares) + ", any " +
          std::to_string(facts.threshold) + " of them open the vault\n";
  if (!facts.custodian.empty()) text += std::string(kCustodianName) + facts.custodian + '\n';
  return text;
}

bool IsBlank(std::uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Lines of a text, without the blanks around them; empty ones are left out.
class LineReader {
 public:
  explicit LineReader(ByteView text) : rest_(text) {}
  std::optional<ByteView> Next() {
    while (!rest_.empty()) {
      const auto end = std::find(rest_.begin(), rest_.end(), '\n');
      const auto size = static_cast<std::size_t>(end - rest_.begin());
      ByteView line = rest_.first(size);
      rest_ = rest_.subspan(std::min(size + 1, rest_.size()));
      while (!line.empty() && IsBlank(line.front())) line = line.subspan(1);
      while (!line.empty() && IsBlank(line.back())) line = line.first(line.size() - 1);
      if (!line.empty()) return line;
    }
    return std::nullopt;
  }

 private:
  ByteView rest_;
};

// Symbols of a typed line, whose number is `number`. It may stand in front.
std::expected<void, ShareProblem> ReadSymbols(std::uint8_t number, ByteView line, Symbols& symbols) {
  std::size_t count = 0;
  if (line.size() > 1 && line[0] == static_cast<std::uint8_t>('0' + number) && IsBlank(line[1])) line = line.subspan(1);
  for (const std::uint8_t c : line) {
    if (IsBlank(c) || c == '-') continue;
    const auto symbol = SymbolOf(c);
    if (count == kLineSymbols) return Problem(Line(number) + " is too long: it has 20 characters in 5 groups of 4");
    if (!symbol) {
      return Problem(Line(number) + ", " + PlaceIn(count) + ", is none that a share has (no share has 1, b, i or o)");
    }
    symbols[count++] = *symbol;
  }
  if (count == kLineSymbols) return {};
  return Problem(Line(number) + " is too short: it has " + std::to_string(count) + " of its 20 characters");
}

std::expected<void, ShareProblem> ReadLineBytes(std::uint8_t number, ByteView line,
                                                std::span<std::uint8_t, kLineBytes> bytes) {
  Scrubbed scratch;
  TRY(ReadSymbols(number, line, scratch.symbols));
  const LineVerdict verdict = CheckLine(number, scratch.symbols);
  using enum LineVerdict::Kind;
  switch (verdict.kind) {
    case kGood:
      GatherLine(scratch.symbols, bytes);
      return {};
    case kOneWrong:
      return Problem(Line(number) + " is mistyped, most likely in " + PlaceIn(verdict.place));
    case kOtherLine:
      return Problem(Line(number) + " is line " + std::to_string(verdict.place) + " of a share");
    case kWrong:
      break;
  }
  return Problem(Line(number) + " is mistyped");
}

Bytes DigestOfPayload(ByteView payload) {
  Bytes digest(crypto_hash_sha256_BYTES);
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  const Bytes domain = base::ByteWriter().Field(kDomain).Take();
  crypto_hash_sha256_update(&state, domain.data(), domain.size());
  crypto_hash_sha256_update(&state, payload.data(), kCheckAt);
  crypto_hash_sha256_final(&state, digest.data());
  sodium_memzero(&state, sizeof state);
  ClearRegisters();
  return digest;
}

std::span<std::uint8_t, kLineBytes> LineOf(std::span<std::uint8_t> payload, std::uint8_t number) {
  return payload.subspan((number - 1U) * kLineBytes).first<kLineBytes>();
}

}  // namespace

// Text is what print and parse share.
class Shares::Text {
 public:
  static Result<SecretValue> Pack(const Share& share) {
    TRY_ASSIGN(SecretValue payload, SecretValue::Allocate(kPayloadBytes));
    const auto bytes = payload.Bytes(SecretAccess());
    const auto id = ParseSetId(share.facts.set_id);
    CHECK(id && IsShareFacts(share.facts) && share.value.size() == kShareBytes);
    bytes[0] = kVersion;
    std::copy(id->begin(), id->end(), bytes.begin() + kIdAt);
    bytes[kIndexAt] = static_cast<std::uint8_t>(share.facts.index);
    bytes[kIndexAt + 1] = static_cast<std::uint8_t>(share.facts.threshold);
    bytes[kIndexAt + 2] = static_cast<std::uint8_t>(share.facts.shares);
    const ByteView value = share.value.View().Bytes(SecretAccess());
    std::copy(value.begin(), value.end(), bytes.begin() + kValueAt);
    const Bytes digest = DigestOfPayload(bytes);
    std::copy_n(digest.begin(), kCheckBytes, bytes.begin() + kCheckAt);
    return payload;
  }

  static std::expected<Share, ShareProblem> Unpack(SecretView payload) {
    const ByteView bytes = payload.Bytes(SecretAccess());
    const Bytes digest = DigestOfPayload(bytes);
    if (!std::equal(bytes.begin() + kCheckAt, bytes.end(), digest.begin())) {
      return Problem("each line is well copied, but they are not all of one share");
    }
    ShareFacts facts;
    facts.set_id = PrintSetId(bytes.subspan(kIdAt).first<kLineBytes>());
    facts.index = bytes[kIndexAt];
    facts.threshold = bytes[kIndexAt + 1];
    facts.shares = bytes[kIndexAt + 2];
    if (bytes[0] != kVersion || !IsShareFacts(facts)) return Problem("it is a share of a kind that this version does not know");
    auto value = SecretValue::Allocate(kShareBytes);
    if (!value) return Problem(value.error());
    const auto into = value->Bytes(SecretAccess());
    std::copy_n(bytes.begin() + kValueAt, kShareBytes, into.begin());
    return Share(std::move(facts), std::move(*value));
  }

  static void AppendLine(std::span<std::uint8_t> text, std::size_t& at, std::uint8_t number, LineView symbols) {
    text[at++] = static_cast<std::uint8_t>('0' + number);
    for (std::size_t i = 0; i < kLineSymbols; ++i) {
      if (i % kGroup == 0) text[at++] = ' ';
      text[at++] = static_cast<std::uint8_t>(SymbolChar(symbols[i]));
    }
    text[at++] = '\n';
  }
};

bool IsCustodian(std::string_view name) {
  return !name.empty() && name.size() <= kMostCustodian && name.front() != ' ' && name.back() != ' ' &&
         base::IsUtf8(name) && base::Printable(name) == name;
}

bool IsShareFacts(const ShareFacts& facts) {
  return ParseSetId(facts.set_id).has_value() && facts.threshold >= kLeastThreshold && facts.threshold <= facts.shares &&
         facts.shares <= kMostShares && facts.index >= 1 && facts.index <= facts.shares &&
         (facts.custodian.empty() || IsCustodian(facts.custodian));
}

Result<SecretValue> Shares::Print(const Share& share) {
  TRY_ASSIGN(SecretValue payload, Text::Pack(share));
  const auto bytes = payload.Bytes(SecretAccess());
  const std::string heading = Heading(share.facts);
  constexpr std::size_t kPrintedLine = 2 + kLineSymbols + kLineSymbols / kGroup;
  TRY_ASSIGN(SecretValue text, SecretValue::Allocate(heading.size() + kLines * kPrintedLine));
  const auto into = text.Bytes(SecretAccess());
  std::copy(heading.begin(), heading.end(), into.begin());
  std::size_t at = heading.size();
  for (std::uint8_t number = 1; number <= kLines; ++number) {
    Scrubbed scratch;
    SpreadLine(number, LineOf(bytes, number), scratch.symbols);
    Text::AppendLine(into, at, number, scratch.symbols);
  }
  CHECK(at == text.size());
  return text;
}

Result<Shares::Typed> Shares::Typed::Start() {
  TRY_ASSIGN(SecretValue payload, SecretValue::Allocate(kPayloadBytes));
  return Typed(std::move(payload));
}

std::expected<void, ShareProblem> Shares::Typed::TakeBytes(ByteView line) {
  CHECK(!whole());
  TRY(ReadLineBytes(next(), line, LineOf(payload_.Bytes(SecretAccess()), next())));
  ++taken_;
  return {};
}

std::expected<void, ShareProblem> Shares::Typed::Take(SecretView line) { return TakeBytes(line.Bytes(SecretAccess())); }

std::expected<Share, ShareProblem> Shares::Typed::Finish() && {
  CHECK(whole());
  return Text::Unpack(payload_.View());
}

std::expected<Share, ShareProblem> Shares::Parse(SecretView text) {
  LineReader reader(text.Bytes(SecretAccess()));
  auto line = reader.Next();
  if (!line || base::AsText(*line) != kTitle) {
    return Problem("it is no recovery share: a share begins with \"" + std::string(kTitle) + "\"");
  }
  std::string heading = std::string(kTitle) + '\n', custodian;
  while ((line = reader.Next())) {
    const std::string_view shown = base::AsText(*line);
    // None of the share's own lines may get into a string.
    if (!shown.starts_with(kSetName) && !shown.starts_with(kShareName) && !shown.starts_with(kCustodianName)) break;
    if (shown.starts_with(kCustodianName)) custodian = shown.substr(kCustodianName.size());
    heading += shown;
    heading += '\n';
  }
  auto typed = Typed::Start();
  if (!typed) return Problem(typed.error());
  for (; !typed->whole(); line = reader.Next()) {
    const auto digit = static_cast<std::uint8_t>('0' + typed->next());
    const bool numbered = line && line->size() > 1 && (*line)[0] == digit && IsBlank((*line)[1]);
    if (!numbered) return Problem(Line(typed->next()) + " is missing: it begins with its number");
    TRY(typed->TakeBytes(*line));
  }
  if (line) return Problem("there is something behind " + Line(kLines));
  auto share = std::move(*typed).Finish();
  if (!share) return share;
  if (!custodian.empty() && !IsCustodian(custodian)) return Problem("its custodian's name is none that Strongroom prints");
  share->facts.custodian = custodian;
  if (heading != Heading(share->facts)) return Problem("what stands above its lines (set, share) is not what the lines say");
  return share;
}

Result<Bytes> Shares::DigestOf(const Share& share) {
  TRY_ASSIGN(const SecretValue payload, Text::Pack(share));
  return DigestOfPayload(payload.View().Bytes(SecretAccess()));
}

}  // namespace strongroom::vault
