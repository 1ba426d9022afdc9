// A note that is taken is written back as the same bytes, and so is a verifier key; looking for signatures never crashes.
#include <cstddef>
#include <cstdint>

#include "audit/note.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace strongroom;
  const std::string_view text = base::AsText({data, size});
  if (const auto bytes = audit::FromBase64(text)) CHECK(audit::Base64(*bytes) == text);
  if (const auto key = audit::VerifierKey::Parse(text)) CHECK(key->Print() == text);
  const auto note = audit::Note::Parse(text);
  if (!note) return 0;
  CHECK(note->Print() == text && note->text.ends_with('\n') && note->signatures.size() <= audit::kMostSignatures);
  // Keys that have the first signature's name and ID, so that it is looked at.
  audit::VerifierKey key;
  key.public_key = Bytes(32, 9);
  if (!note->signatures.empty()) {
    key.name = note->signatures.front().name;
    key.id = note->signatures.front().id;
  }
  CHECK(audit::CheckSignature(*note, key) != audit::Signed::kYes);
  key.type = audit::SignatureType::kCosignature;
  CHECK(!audit::CosignedAt(*note, key));
  return 0;
}
