// A PKCS#11 URI: what parses prints to one that parses to the same, and names both a token and a key.
#include "base/bytes.h"
#include "base/result.h"
#include "vault/token_uri.h"

using namespace strongroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto uri = vault::TokenUri::Parse(base::AsText(ByteView(data, size)));
  if (!uri) return 0;
  CHECK((!uri->token.empty() || !uri->serial.empty()) && (!uri->object.empty() || !uri->id.empty()));
  CHECK(vault::TokenUri::Parse(uri->Print()) == *uri);
  return 0;
}
