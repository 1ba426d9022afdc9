#include "tests/audit/signer.h"

#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

namespace strongroom::audit {
namespace {

// It signs on the threads of a log's writer too, where Catch's assertions have no place.
void Must(bool done) {
  if (!done) std::abort();
}

using KeyPair = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;

KeyPair Load(ByteView seed) {
  KeyPair pair(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()), EVP_PKEY_free);
  Must(pair != nullptr);
  return pair;
}

}  // namespace

Signer::Signer(const std::string& name, ByteView seed, SignatureType type) : seed_(seed.begin(), seed.end()) {
  Bytes public_key(32);
  std::size_t size = public_key.size();
  Must(EVP_PKEY_get_raw_public_key(Load(seed_).get(), public_key.data(), &size) == 1);
  auto key = VerifierKey::Of(name, type, public_key);
  Must(key.has_value());
  key_ = std::move(*key);
}

Bytes Signer::SignBytes(std::string_view message) const {
  const KeyPair pair = Load(seed_);
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  Bytes signature(kEd25519Bytes);
  std::size_t size = signature.size();
  const ByteView bytes = base::AsBytes(message);
  Must(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, pair.get()) == 1);
  Must(EVP_DigestSign(context.get(), signature.data(), &size, bytes.data(), bytes.size()) == 1);
  return signature;
}

std::string Signer::Line(std::string_view text) const { return SignatureLine(key_, SignBytes(text)); }

std::string Signer::CosignLine(std::string_view text, std::uint64_t seconds) const {
  Bytes bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(seconds >> shift));
  const Bytes signature = SignBytes("cosignature/v1\ntime " + std::to_string(seconds) + '\n' + std::string(text));
  bytes.insert(bytes.end(), signature.begin(), signature.end());
  return SignatureLine(key_, bytes);
}

std::string Signer::Sign(const Head& head) const {
  const std::string body = Checkpoint{key_.name, head}.Body();
  return body + '\n' + Line(body);
}

}  // namespace strongroom::audit
