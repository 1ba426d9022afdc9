#include "vault/key_format.h"

#include <algorithm>
#include <array>
#include <functional>

namespace strongroom::vault {
namespace {

constexpr std::size_t kLeastBytes = 20, kMostBytes = 2000;
static_assert(kMostBytes <= SecretValue::kMostBytes);

enum class Fault : std::uint8_t { kNone, kSpace, kOther };

// Counts the good bytes in front of the first bad one.
Fault FirstFault(ByteView key, std::size_t& good) {
  for (const std::uint8_t byte : key) {
    if (byte == ' ' || (byte >= '\t' && byte <= '\r')) return Fault::kSpace;
    if (byte < 0x21 || byte > 0x7e) return Fault::kOther;
    ++good;
  }
  return Fault::kNone;
}

// How keys begin, by the providers' own pages; the longer of two that fit comes first. Nobody's are of a provider that is none of ours.
struct Beginning {
  std::string_view text, provider;
  base::Literal whose;
};
constexpr auto kBeginnings = std::to_array<Beginning>({
    {"sk-ant-admin", "", "this is an admin key of Anthropic's, which calls no model: bring an API key"},
    {"sk-ant-", "anthropic", "this is a key of Anthropic's, and one of another provider is asked for"},
    {"sk-proj-", "openai", "this is a key of OpenAI's, and one of another provider is asked for"},
    {"sk-svcacct-", "openai", "this is a key of OpenAI's, and one of another provider is asked for"},
    {"sk-admin-", "", "this is an admin key of OpenAI's, which calls no model: bring an API key"},
    {"sk-or-v1-", "", "this is a key of OpenRouter's, and one of another provider is asked for"},
    {"AIza", "", "this is a key of Google's, and one of another provider is asked for"},
    {"gsk_", "", "this is a key of Groq's, and one of another provider is asked for"},
    {"xai-", "", "this is a key of xAI's, and one of another provider is asked for"},
});

constexpr auto Lower = [](auto byte) {
  const auto one = static_cast<std::uint8_t>(byte);
  return one >= 'A' && one <= 'Z' ? static_cast<std::uint8_t>(one + ('a' - 'A')) : one;
};

bool Holds(ByteView bytes, std::string_view text) { return !std::ranges::search(bytes, text, {}, Lower, Lower).empty(); }

bool IsQuoted(ByteView key) {
  if (key.size() < 3 || (key.front() != '"' && key.front() != '\'' && key.front() != '`')) return false;
  // A comma or semicolon may have come along.
  return key.back() == key.front() || key[key.size() - 2] == key.front();
}

// HasName: NAME=key, with "key", "token" or "secret" in NAME; the = at the end of base64 is none.
bool HasName(ByteView key) {
  const auto equals = std::ranges::find(key, std::uint8_t{'='});
  const ByteView name(key.begin(), equals);
  const auto in_name = [](std::uint8_t byte) { return (byte >= '0' && byte <= '9') || (Lower(byte) >= 'a' && Lower(byte) <= 'z') || byte == '_'; };
  if (key.end() - equals < 2 || equals[1] == '=' || !std::ranges::all_of(name, in_name)) return false;
  return Holds(name, "key") || Holds(name, "token") || Holds(name, "secret");
}

}  // namespace

Result<void> KeyFormat::CheckCopied(SecretView key) {
  const ByteView bytes = key.Bytes(SecretAccess());
  const bool quoted = IsQuoted(bytes), named = HasName(bytes), hidden = Holds(bytes, "...") || Holds(bytes, "***");
  ClearRegisters();
  if (quoted) return Fail(Code::kInvalidArgument, "the key has quotes around it: give it without them");
  if (named) return Fail(Code::kInvalidArgument, "the key has its name and = in front of it: give what stands behind the =");
  if (hidden) {
    return Fail(Code::kInvalidArgument,
                "this is how a key is shown, with ... or *** for what is hidden: copy the whole key where it was made, or make a new one");
  }
  return {};
}

Result<void> KeyFormat::CheckOwner(SecretView key, std::string_view provider, Server server) {
  const ByteView bytes = key.Bytes(SecretAccess());
  const auto* found = std::ranges::find_if(kBeginnings, [bytes](const Beginning& one) {
    return bytes.size() >= one.text.size() && std::ranges::equal(one.text, bytes.first(one.text.size()), std::ranges::equal_to(), [](char c) {
             return static_cast<std::uint8_t>(c);
           });
  });
  ClearRegisters();
  if (found == kBeginnings.end() || found->provider == provider) return {};
  if (server == Server::kCustom && !(provider == "anthropic" && found->provider == "openai")) return {};
  return Fail(Code::kInvalidArgument, found->whose);
}

Result<void> KeyFormat::Check(SecretView key) {
  const auto length = static_cast<std::int64_t>(key.size());
  if (key.size() < kLeastBytes)
    return Fail(Code::kInvalidArgument, "the key is too short, 20 bytes at least: bytes", length);
  if (key.size() > kMostBytes)
    return Fail(Code::kInvalidArgument, "the key is too long, 2000 bytes at most: bytes", length);
  std::size_t good = 0;
  const Fault fault = FirstFault(key.Bytes(SecretAccess()), good);
  ClearRegisters();
  const auto place = static_cast<std::int64_t>(good) + 1;
  if (fault == Fault::kSpace) {
    return Fail(Code::kInvalidArgument, "the key has a space, tab or newline inside: at byte", place);
  }
  if (fault == Fault::kOther) {
    return Fail(Code::kInvalidArgument, "the key has a byte that is not printable ASCII: at byte", place);
  }
  return {};
}

}  // namespace strongroom::vault
