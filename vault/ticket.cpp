#include "vault/ticket.h"

#include "vault/base64.h"
#include "vault/digest.h"
#include "vault/key_ref.h"
#include "vault/labelled_text.h"
#include "vault/origin.h"
#include "vault/phrase.h"
#include "vault/sealed_box.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kTitle = "strongroom-ticket 1";
constexpr std::string_view kNoKey = "none";
constexpr std::string_view kPhraseSalt = "sr-ticket-phrase";

bool IsPlace(const Ticket& ticket) {
  const auto origin = Origin::Parse(ticket.origin);
  return CheckCustomer(ticket.customer) && CheckProvider(ticket.provider) && origin && origin->is_https();
}

// What it rotates is a key of the same customer at the same provider.
bool IsRotation(const Ticket& ticket, std::string_view text) {
  if (text == kNoKey) return true;
  const auto key = KeyRef::Parse(text);
  return key && key->customer() == ticket.customer && key->provider() == ticket.provider;
}

}  // namespace

std::string FormatSeconds(base::Micros time) { return base::FormatTime(time).substr(0, 19) + "Z"; }

std::string Ticket::Print() const {
  LabelledWriter writer(kTitle);
  writer.Line("vault", vault_id).Line("ticket", ticket_id).Line("public-key", Base64(public_key));
  writer.Line("customer", customer).Line("provider", provider).Line("origin", origin);
  writer.Line("rotates", rotates.empty() ? kNoKey : std::string_view(rotates)).Line("expires", FormatSeconds(expires_at));
  return writer.Finish();
}

Result<Ticket> Ticket::Parse(std::string_view text) {
  TRY_ASSIGN(LabelledReader reader, LabelledReader::Open(text, kTitle));
  Ticket ticket;
  TRY_ASSIGN(ticket.vault_id, reader.Take("vault"));
  if (!IsHexName(ticket.vault_id, kVaultIdDigits)) return reader.Bad();
  TRY_ASSIGN(ticket.ticket_id, reader.Take("ticket"));
  if (!IsHexName(ticket.ticket_id, kIdDigits)) return reader.Bad();
  TRY_ASSIGN(const std::string key, reader.Take("public-key"));
  auto public_key = FromBase64(key);
  if (!public_key || public_key->size() != SealedBox::kKeyBytes) return reader.Bad();
  ticket.public_key = std::move(*public_key);
  TRY_ASSIGN(ticket.customer, reader.Take("customer"));
  TRY_ASSIGN(ticket.provider, reader.Take("provider"));
  TRY_ASSIGN(ticket.origin, reader.Take("origin"));
  if (!IsPlace(ticket)) return reader.Bad();
  TRY_ASSIGN(const std::string rotates, reader.Take("rotates"));
  if (!IsRotation(ticket, rotates)) return reader.Bad();
  if (rotates != kNoKey) ticket.rotates = rotates;
  TRY_ASSIGN(const std::string expires, reader.Take("expires"));
  const auto time = base::ParseTime(expires);
  if (!time || FormatSeconds(*time) != expires) return reader.Bad();
  ticket.expires_at = *time;
  TRY(reader.Finish());
  return ticket;
}

Bytes Ticket::Digest() const { return Sha256(base::AsBytes(Print())); }

Result<std::string> Ticket::Phrase() const { return MakePhrase(Print(), kPhraseSalt); }

}  // namespace strongroom::vault
