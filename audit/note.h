// Signed notes (c2sp.org/signed-note, v1.0.0): a text and the signature lines under it. What a checkpoint travels in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace strongroom::audit {

inline constexpr std::size_t kMostNoteBytes = 1 << 20;
inline constexpr std::size_t kMostSignatures = 100;
inline constexpr std::size_t kEd25519Bytes = 64;

// SignatureType is the byte that a key's ID and encoding begin with.
enum class SignatureType : std::uint8_t {
  kEd25519 = 0x01,
  kCosignature = 0x04,  // a witness's, with the time (c2sp.org/tlog-cosignature, cosignature/v1)
};

// VerifierKey is an Ed25519 public key and the name it signs under.
struct VerifierKey {
  std::string name;
  std::uint32_t id = 0;
  SignatureType type = SignatureType::kEd25519;
  Bytes public_key;  // 32 bytes
  bool operator==(const VerifierKey&) const = default;

  // Of computes the ID. kInvalidArgument for a name that is empty, is no UTF-8, or has a space, a control character or a plus in
  // it, and for a key that is not 32 bytes.
  static Result<VerifierKey> Of(std::string name, SignatureType type, ByteView public_key);
  // Parse reads "<name>+<ID, 8 hexadecimal digits>+<base64 of type ‖ key>", which Print writes. kInvalidArgument for anything
  // else, an ID that is not this key's, and a type that is not one of the above.
  static Result<VerifierKey> Parse(std::string_view text);
  std::string Print() const;
};

struct NoteSignature {
  std::string name;
  std::uint32_t id = 0;
  Bytes signature;
};

struct Note {
  std::string text;  // with its last newline
  std::vector<NoteSignature> signatures;  // none: an unsigned head, which other readers refuse
  // Parse is kInvalidArgument for what Print would not write byte for byte.
  static Result<Note> Parse(std::string_view bytes);
  std::string Print() const;
};

// SignatureLine is one line of a note: "— name base64(ID ‖ signature)" and a newline.
std::string SignatureLine(const VerifierKey& key, ByteView signature);

enum class Signed : std::uint8_t { kNot, kYes, kForged };
// CheckSignature looks for a key's signature; kForged where there is one that is not valid. Of several by the same name and ID the
// first counts, as in golang.org/x/mod/sumdb/note.
Signed CheckSignature(const Note& note, const VerifierKey& key);

// CosignedAt is when a witness says it saw the note's text, in seconds since 1970; nullopt where its signature is not there or
// not valid.
std::optional<std::int64_t> CosignedAt(const Note& note, const VerifierKey& witness);

// Base64 is RFC 4648 §4 with padding; FromBase64 takes nothing but what Base64 writes.
std::string Base64(ByteView bytes);
std::optional<Bytes> FromBase64(std::string_view text);

}  // namespace strongroom::audit
