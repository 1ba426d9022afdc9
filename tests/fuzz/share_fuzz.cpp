// A share: what parses prints to a text that parses to the same share and prints to the same text again; and no problem that
// is told of quotes what was read.
#include "base/bytes.h"
#include "base/result.h"
#include "vault/share_code.h"
#include "vault/shares.h"

namespace strongroom::vault {

// The fuzzer's way into a secret, as SecretProbe is the tests'.
class SecretProbe {
 public:
  static SecretValue Of(ByteView bytes) {
    auto value = SecretValue::Allocate(bytes.size());
    CHECK(value.has_value());
    std::copy(bytes.begin(), bytes.end(), value->Bytes(SecretAccess()).begin());
    return std::move(*value);
  }
  static Bytes Copy(SecretView view) {
    const ByteView bytes = view.Bytes(SecretAccess());
    return {bytes.begin(), bytes.end()};
  }
};

}  // namespace strongroom::vault

using namespace strongroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > vault::SecretValue::kMostBytes) return 0;
  const ByteView bytes(data, size);
  if (const auto id = vault::ParseSetId(base::AsText(bytes))) {
    CHECK(vault::PrintSetId(std::span(*id).first<vault::kLineBytes>()) == base::AsText(bytes));
  }
  const vault::SecretValue text = vault::SecretProbe::Of(bytes);
  const auto share = vault::Shares::Parse(text.View());
  if (!share) {
    CHECK(!share.error().text.empty() && share.error().text.find('\n') == std::string::npos);
    return 0;
  }
  CHECK(vault::IsShareFacts(share->facts));
  const auto printed = vault::Shares::Print(*share);
  CHECK(printed.has_value());
  const auto again = vault::Shares::Parse(printed->View());
  CHECK(again.has_value() && again->facts == share->facts);
  CHECK(vault::SecretProbe::Copy(again->value.View()) == vault::SecretProbe::Copy(share->value.View()));
  CHECK(*vault::Shares::DigestOf(*again) == *vault::Shares::DigestOf(*share));
  const auto twice = vault::Shares::Print(*again);
  CHECK(vault::SecretProbe::Copy(twice->View()) == vault::SecretProbe::Copy(printed->View()));
  return 0;
}
