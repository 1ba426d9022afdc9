#include "audit/note.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <utility>

namespace strongroom::audit {
namespace {

constexpr std::string_view kDash = "\xe2\x80\x94 ";  // U+2014 and a space
constexpr std::size_t kIdBytes = 4, kKeyBytes = 32, kTimeBytes = 8;
constexpr std::size_t kMostNameBytes = 1000;

std::unexpected<Error> NoNote(base::Literal why) { return Fail(Code::kInvalidArgument, why); }
std::unexpected<Error> NoKey() { return Fail(Code::kInvalidArgument, "this is no verifier key: <name>+<ID>+<base64>"); }

// The spaces of Unicode beyond ASCII's, as UTF-8 (White_Space in PropList.txt).
constexpr std::string_view kSpaces[] = {
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83",
    "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
    "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

bool IsName(std::string_view name) {
  const auto is_odd = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '+'; };
  return !name.empty() && name.size() <= kMostNameBytes && base::IsUtf8(name) && std::none_of(name.begin(), name.end(), is_odd) &&
         std::none_of(std::begin(kSpaces), std::end(kSpaces), [&](std::string_view space) { return name.contains(space); });
}

std::uint32_t BigEndian32(ByteView bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

void AppendBigEndian32(Bytes& out, std::uint32_t value) {
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

// SHA-256(name ‖ newline ‖ type ‖ public key), its first four bytes.
std::uint32_t KeyId(std::string_view name, SignatureType type, ByteView public_key) {
  Bytes message(name.begin(), name.end());
  message.push_back('\n');
  message.push_back(static_cast<std::uint8_t>(type));
  message.insert(message.end(), public_key.begin(), public_key.end());
  std::array<std::uint8_t, 32> digest{};
  CHECK(EVP_Digest(message.data(), message.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
  return BigEndian32(digest);
}

bool Verifies(ByteView public_key, std::string_view message, ByteView signature) {
  if (signature.size() != kEd25519Bytes) return false;
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, public_key.data(), public_key.size()), EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const ByteView text = base::AsBytes(message);
  const bool valid = key != nullptr && context != nullptr &&
                     EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
                     EVP_DigestVerify(context.get(), signature.data(), signature.size(), text.data(), text.size()) == 1;
  ERR_clear_error();
  return valid;
}

const NoteSignature* Find(const Note& note, const VerifierKey& key) {
  const auto found = std::find_if(note.signatures.begin(), note.signatures.end(), [&](const NoteSignature& signature) {
    return signature.id == key.id && signature.name == key.name;
  });
  return found == note.signatures.end() ? nullptr : &*found;
}

std::optional<NoteSignature> ParseLine(std::string_view line) {
  if (!line.starts_with(kDash)) return std::nullopt;
  line.remove_prefix(kDash.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || !IsName(line.substr(0, space))) return std::nullopt;
  const auto bytes = FromBase64(line.substr(space + 1));
  if (!bytes || bytes->size() <= kIdBytes) return std::nullopt;
  return NoteSignature{std::string(line.substr(0, space)), BigEndian32(*bytes), Bytes(bytes->begin() + kIdBytes, bytes->end())};
}

std::string PrintLine(const std::string& name, std::uint32_t id, ByteView signature) {
  Bytes bytes;
  AppendBigEndian32(bytes, id);
  bytes.insert(bytes.end(), signature.begin(), signature.end());
  return std::string(kDash) + name + ' ' + Base64(bytes) + '\n';
}

}  // namespace

std::string Base64(ByteView bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL puts a zero behind it
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::optional<Bytes> FromBase64(std::string_view text) {
  if (text.size() % 4 != 0 || text.size() > kMostNoteBytes) return std::nullopt;
  Bytes bytes(text.size() / 4 * 3);
  if (EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size())) < 0) {
    ERR_clear_error();
    return std::nullopt;
  }
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  bytes.resize(bytes.size() - padding);
  // OpenSSL also takes spaces, and bits that mean nothing.
  if (Base64(bytes) != text) return std::nullopt;
  return bytes;
}

Result<VerifierKey> VerifierKey::Of(std::string name, SignatureType type, ByteView public_key) {
  if (!IsName(name) || public_key.size() != kKeyBytes) return NoKey();
  VerifierKey key;
  key.id = KeyId(name, type, public_key);
  key.name = std::move(name);
  key.type = type;
  key.public_key.assign(public_key.begin(), public_key.end());
  return key;
}

Result<VerifierKey> VerifierKey::Parse(std::string_view text) {
  // Neither a name nor an ID has a plus in it; base64 may.
  const std::size_t name_end = text.find('+');
  const std::size_t id_end = name_end == std::string_view::npos ? name_end : text.find('+', name_end + 1);
  if (id_end == std::string_view::npos) return NoKey();
  const auto encoded = FromBase64(text.substr(id_end + 1));
  if (!encoded || encoded->size() != 1 + kKeyBytes) return NoKey();
  const auto type = static_cast<SignatureType>(encoded->front());
  if (type != SignatureType::kEd25519 && type != SignatureType::kCosignature) {
    return Fail(Code::kInvalidArgument, "this verifier key is of a signature type that is not known here", encoded->front());
  }
  TRY_ASSIGN(VerifierKey key, Of(std::string(text.substr(0, name_end)), type, ByteView(*encoded).subspan(1)));
  if (key.Print() != text) return NoKey();
  return key;
}

std::string VerifierKey::Print() const {
  Bytes encoded{static_cast<std::uint8_t>(type)};
  encoded.insert(encoded.end(), public_key.begin(), public_key.end());
  Bytes id_bytes;
  AppendBigEndian32(id_bytes, id);
  return name + '+' + base::Hex(id_bytes) + '+' + Base64(encoded);
}

Result<Note> Note::Parse(std::string_view bytes) {
  if (bytes.size() > kMostNoteBytes) return NoNote("this note is too large");
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; };
  if (!base::IsUtf8(bytes) || std::any_of(bytes.begin(), bytes.end(), is_control)) return NoNote("this is no note: it is no plain text");
  const std::size_t end = bytes.rfind("\n\n");
  if (end == std::string_view::npos) return NoNote("this is no note: no empty line stands above its signatures");
  Note note;
  note.text = bytes.substr(0, end + 1);
  std::string_view lines = bytes.substr(end + 2);
  while (!lines.empty()) {
    const std::size_t line_end = lines.find('\n');
    if (line_end == std::string_view::npos) return NoNote("this is no note: its last line does not end");
    auto signature = ParseLine(lines.substr(0, line_end));
    if (!signature) return NoNote("this is no note: a line under its text is no signature");
    if (note.signatures.size() == kMostSignatures) return NoNote("this note has too many signatures");
    note.signatures.push_back(std::move(*signature));
    lines.remove_prefix(line_end + 1);
  }
  return note;
}

std::string Note::Print() const {
  std::string out = text + '\n';
  for (const NoteSignature& signature : signatures) out += PrintLine(signature.name, signature.id, signature.signature);
  return out;
}

std::string SignatureLine(const VerifierKey& key, ByteView signature) { return PrintLine(key.name, key.id, signature); }

Signed CheckSignature(const Note& note, const VerifierKey& key) {
  CHECK(key.type == SignatureType::kEd25519);
  const NoteSignature* const found = Find(note, key);
  if (found == nullptr) return Signed::kNot;
  return Verifies(key.public_key, note.text, found->signature) ? Signed::kYes : Signed::kForged;
}

std::optional<std::int64_t> CosignedAt(const Note& note, const VerifierKey& witness) {
  CHECK(witness.type == SignatureType::kCosignature);
  const NoteSignature* const found = Find(note, witness);
  if (found == nullptr || found->signature.size() != kTimeBytes + kEd25519Bytes) return std::nullopt;
  const ByteView bytes = found->signature;
  const std::uint64_t seconds = std::uint64_t{BigEndian32(bytes)} << 32 | BigEndian32(bytes.subspan(4));
  if (seconds > INT64_MAX) return std::nullopt;
  const std::string message = "cosignature/v1\ntime " + std::to_string(seconds) + '\n' + note.text;
  if (!Verifies(witness.public_key, message, bytes.subspan(kTimeBytes))) return std::nullopt;
  return static_cast<std::int64_t>(seconds);
}

}  // namespace strongroom::audit
