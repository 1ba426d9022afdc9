#include "vault/proven_ticket.h"

#include "vault/cipher.h"
#include "vault/operations.h"
#include "vault/sealed_box.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kDomain = "strongroom/ticket/v1", kAlgorithm = "AES-256-GCM";

Bytes AadOf(const std::string& vault_id, const TicketRow& row) {
  return base::ByteWriter()
      .Field(kDomain)
      .Field(kAlgorithm)
      .Field(TicketOf(vault_id, row).Print())
      .Field(row.endpoint)
      .I64(row.created_at)
      .I64(row.kek_version)
      .Take();
}

Result<SecretValue> Unwrap(const VaultKeys& keys, const std::string& vault_id, const TicketRow& row) {
  const auto kek = keys.keyring.Find(row.kek_version);
  if (!kek) return Refuse(row.kek_version < keys.wrap_version ? Refusal::kTicketTampered : Refusal::kKekMissing);
  auto opened = Cipher::OpenWith((*kek)->View(), row.nonce, AadOf(vault_id, row), row.private_key);
  // A full arena says nothing about the row.
  if (!opened && opened.error().code() != Code::kDecryptFailed) return std::unexpected(opened.error());
  if (!opened || opened->size() != SealedBox::kKeyBytes) return Refuse(Refusal::kTicketTampered);
  return std::move(*opened);
}

Result<void> CheckOpen(const TicketRow& row, base::Micros now) {
  if (row.status == kTicketUsed) return Refuse(Refusal::kTicketUsed);
  if (row.status == kTicketCancelled) return Refuse(Refusal::kTicketCancelled);
  if (row.status == kTicketExpired || (row.status == kTicketOpen && row.expires_at <= now)) return Refuse(Refusal::kTicketExpired);
  if (row.status != kTicketOpen) return Refuse(Refusal::kTicketTampered);
  return {};
}

}  // namespace

Result<TicketRow> FindTicket(Store& store, const std::string& ticket_id, audit::Draft& record) {
  record.before = audit::Facts{{"ticket", ticket_id}};
  TRY_ASSIGN(std::optional<TicketRow> row, store.FindTicket(ticket_id));
  if (!row) return Refuse(Refusal::kTicketUnknown);
  record.customer = row->customer;
  (*record.before)["status"] = row->status;
  return std::move(*row);
}

Result<std::vector<audit::Draft>> EndsOf(Store& store, const TicketRow& row) {
  std::vector<audit::Draft> ends;
  TRY(store.EachTicketEnd(row.customer, row.created_at, [&row, &ends](const audit::Entry& entry) {
    const audit::Draft& act = entry.draft;
    if (!act.before) return;
    const auto fact = act.before->find("ticket");
    // An offboarding ends every ticket of before it.
    const bool left = act.action == "offboard";
    if (left || (fact != act.before->end() && fact->second == row.ticket_id)) ends.push_back(act);
  }));
  return ends;
}

Ticket TicketOf(const std::string& vault_id, const TicketRow& row) {
  Ticket ticket;
  ticket.vault_id = vault_id;
  ticket.ticket_id = row.ticket_id;
  ticket.public_key = row.public_key;
  ticket.customer = row.customer;
  ticket.provider = row.provider;
  ticket.origin = row.origin;
  ticket.rotates = row.rotates;
  ticket.expires_at = row.expires_at;
  return ticket;
}

Result<ProvenTicket> ProvenTicket::Prove(const OpenVault& vault, Store& store, const TicketRow& row, base::Micros now) {
  TRY(CheckOpen(row, now));
  TRY_ASSIGN(const auto keys, vault.Keys());
  TRY_ASSIGN(SecretValue private_key, Unwrap(*keys, vault.vault_id, row));
  // Whoever can write the database can put back the row of a ticket that was used. The record of its use is in the chain of the trail.
  TRY_ASSIGN(const std::vector<audit::Draft> ends, EndsOf(store, row));
  if (!ends.empty()) return Refuse(Refusal::kTicketTampered);
  return ProvenTicket(TicketOf(vault.vault_id, row), std::move(private_key));
}

Result<void> WrapTicket(const VaultKeys& keys, const std::string& vault_id, SecretView private_key, TicketRow& row) {
  const auto kek = keys.keyring.Find(keys.wrap_version);
  if (!kek) return Refuse(Refusal::kKekMissing);
  row.kek_version = keys.wrap_version;
  row.nonce = Cipher::RandomNonce();
  TRY_ASSIGN(row.private_key, Cipher::SealWith((*kek)->View(), row.nonce, AadOf(vault_id, row), private_key));
  return {};
}

Result<TicketRow> RewrappedTicket(const VaultKeys& keys, const std::string& vault_id, TicketRow row) {
  TRY_ASSIGN(const SecretValue private_key, Unwrap(keys, vault_id, row));
  TRY(WrapTicket(keys, vault_id, private_key.View(), row));
  return row;
}

}  // namespace strongroom::vault
