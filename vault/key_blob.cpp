#include "vault/key_blob.h"

#include "vault/base64.h"
#include "vault/labelled_text.h"
#include "vault/phrase.h"
#include "vault/sealed_box.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kTitle = "strongroom-sealed-key 1";
constexpr std::string_view kPhraseSalt = "sr-sealed-phrase";
constexpr std::string_view kBoxLabel = "box";
constexpr std::size_t kLineChars = 64;
constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kHeadBytes = 1 + 32;
constexpr std::size_t kLeastBox = SealedBox::kOverhead + kHeadBytes + 1, kMostBox = SealedBox::kOverhead + SecretValue::kMostBytes;

Bytes HeadFor(const Ticket& ticket) { return base::ByteWriter().U8(kFormat).Raw(ticket.Digest()).Take(); }

// TakeBox reads lines of 64 characters, and a last one of 1 to 64.
Result<Bytes> TakeBox(LabelledReader& reader) {
  std::string text;
  do {
    if (text.size() % kLineChars != 0) return reader.Bad();
    TRY_ASSIGN(const std::string line, reader.Take(kBoxLabel));
    if (line.empty() || line.size() > kLineChars) return reader.Bad();
    text += line;
  } while (reader.NextIs(kBoxLabel));
  auto box = FromBase64(text);
  if (!box || box->size() < kLeastBox || box->size() > kMostBox) return reader.Bad();
  return std::move(*box);
}

}  // namespace

Result<KeyBlob> KeyBlob::Seal(const Ticket& ticket, SecretView key) {
  TRY_ASSIGN(Bytes box, SealedBox::SealTo(ticket.public_key, key, HeadFor(ticket)));
  return KeyBlob{ticket.vault_id, ticket.ticket_id, std::move(box)};
}

Result<SecretValue> KeyBlob::Open(const Ticket& ticket, SecretView private_key) const {
  return SealedBox::OpenSealed(private_key, ticket.public_key, box, HeadFor(ticket));
}

std::string KeyBlob::Print() const {
  LabelledWriter writer(kTitle);
  writer.Line("vault", vault_id).Line("ticket", ticket_id);
  const std::string text = Base64(box);
  for (std::size_t at = 0; at < text.size(); at += kLineChars) writer.Line(kBoxLabel, std::string_view(text).substr(at, kLineChars));
  return writer.Finish();
}

Result<KeyBlob> KeyBlob::Parse(std::string_view text) {
  TRY_ASSIGN(LabelledReader reader, LabelledReader::Open(text, kTitle));
  KeyBlob blob;
  TRY_ASSIGN(blob.vault_id, reader.Take("vault"));
  if (!IsHexName(blob.vault_id, Ticket::kVaultIdDigits)) return reader.Bad();
  TRY_ASSIGN(blob.ticket_id, reader.Take("ticket"));
  if (!IsHexName(blob.ticket_id, Ticket::kIdDigits)) return reader.Bad();
  TRY_ASSIGN(blob.box, TakeBox(reader));
  TRY(reader.Finish());
  return blob;
}

Result<std::string> KeyBlob::Phrase() const { return MakePhrase(Print(), kPhraseSalt); }

}  // namespace strongroom::vault
