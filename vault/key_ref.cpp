#include "vault/key_ref.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace strongroom::vault {
namespace {

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kDigits = "0123456789";
constexpr std::int64_t kMostVersion = 999'999;

bool IsOneOf(char c, std::string_view others, bool upper_too) {
  return kLower.find(c) != std::string_view::npos || kDigits.find(c) != std::string_view::npos ||
         (upper_too && kUpper.find(c) != std::string_view::npos) || others.find(c) != std::string_view::npos;
}

bool Fits(std::string_view text, std::size_t most, std::string_view others, bool upper_too) {
  return !text.empty() && text.size() <= most &&
         std::all_of(text.begin(), text.end(), [&](char c) { return IsOneOf(c, others, upper_too); });
}

}  // namespace

Result<void> CheckCustomer(std::string_view customer) {
  if (Fits(customer, 10, "_$#@-", true)) return {};
  return Fail(Code::kInvalidArgument, "a customer is 1 to 10 of A-Z a-z 0-9 _ $ # @ -");
}

Result<void> CheckProvider(std::string_view provider) {
  if (Fits(provider, 20, "-", false)) return {};
  return Fail(Code::kInvalidArgument, "a provider is 1 to 20 of a-z 0-9 -");
}

Result<KeyRef> KeyRef::Make(std::string_view customer, std::string_view provider, std::string_view label,
                            std::int64_t version) {
  TRY(CheckCustomer(customer));
  TRY(CheckProvider(provider));
  if (!Fits(label, 20, "._-", true)) {
    return Fail(Code::kInvalidArgument, "a label is 1 to 20 of A-Z a-z 0-9 . _ -");
  }
  if (version < 1 || version > kMostVersion) {
    return Fail(Code::kInvalidArgument, "a key version is 1 to 999999", version);
  }
  KeyRef ref;
  ref.customer_ = customer;
  ref.provider_ = provider;
  ref.label_ = label;
  ref.version_ = version;
  ref.text_ = ref.customer_ + "/" + ref.provider_ + "/" + ref.label_ + "/" + std::to_string(version);
  return ref;
}

Result<KeyRef> KeyRef::Parse(std::string_view text) {
  constexpr base::Literal kShape = "a KEY_REF reads CUSTOMER/provider/label/version";
  std::array<std::string_view, 4> parts;
  std::string_view rest = text;
  for (std::size_t i = 0; i < parts.size() - 1; ++i) {
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return Fail(Code::kInvalidArgument, kShape);
    parts[i] = rest.substr(0, slash);
    rest.remove_prefix(slash + 1);
  }
  parts[3] = rest;
  std::int64_t version = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), version);
  if (error != std::errc() || end != rest.data() + rest.size()) return Fail(Code::kInvalidArgument, kShape);
  TRY_ASSIGN(KeyRef ref, Make(parts[0], parts[1], parts[2], version));
  // One spelling a key: "01" is not version 1.
  if (ref.text_ != text) return Fail(Code::kInvalidArgument, kShape);
  return ref;
}

}  // namespace strongroom::vault
