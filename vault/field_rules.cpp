#include "vault/field_rules.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "vault/operations.h"

namespace strongroom::vault {
namespace {

constexpr std::size_t kMostReason = 500;

struct Provider {
  std::string_view name;
  std::string_view endpoint;
  bool needs_key;
};

constexpr std::array<Provider, 3> kProviders{{
    {"anthropic", "https://api.anthropic.com", true},
    {"openai", "https://api.openai.com", true},
    {"ollama", "http://127.0.0.1:11434", false},
}};

const Provider* FindProvider(std::string_view name) {
  const auto* found = std::find_if(kProviders.begin(), kProviders.end(),
                                   [name](const Provider& provider) { return provider.name == name; });
  return found == kProviders.end() ? nullptr : found;
}

bool IsControl(char c, Lines lines) {
  if (lines == Lines::kMany && (c == '\n' || c == '\t')) return false;
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// C1 controls (U+0080–U+009F) steer terminals too; in UTF-8 they are C2 80 to C2 9F.
bool HasC1(std::string_view text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const auto next = static_cast<unsigned char>(text[i + 1]);
    if (static_cast<unsigned char>(text[i]) == 0xc2 && next >= 0x80 && next <= 0x9f) return true;
  }
  return false;
}

}  // namespace

bool IsText(std::string_view text, std::size_t most, Lines lines) {
  return !text.empty() && text.size() <= most && base::IsUtf8(text) && !HasC1(text) &&
         std::none_of(text.begin(), text.end(), [lines](char c) { return IsControl(c, lines); });
}

Result<void> TakeReason(std::string_view reason, audit::Draft& record) {
  const bool blank = reason.find_first_not_of(" \t\r\n") == std::string_view::npos;
  if (blank) return Refuse(Refusal::kReasonMissing);
  record.purpose = std::string(reason);
  if (!IsText(reason, kMostReason)) return Refuse(Refusal::kFieldInvalid);
  return {};
}

std::optional<std::string_view> DefaultEndpoint(std::string_view provider) {
  const Provider* found = FindProvider(provider);
  return found == nullptr ? std::nullopt : std::optional(found->endpoint);
}

bool NeedsKey(std::string_view provider) {
  const Provider* found = FindProvider(provider);
  return found == nullptr || found->needs_key;
}

}  // namespace strongroom::vault
