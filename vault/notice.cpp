#include "vault/notice.h"

#include "vault/cipher.h"
#include "vault/open_vault.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kDomain = "strongroom/notice/v1";

}  // namespace

Result<Bytes> NoticeMac(const MacKey& key, std::string_view vault_id, const NoticeRow& row) {
  base::ByteWriter writer;
  writer.Field(kDomain).Field(vault_id).Field(row.key_ref).I64(row.row_version).I64(row.http_status).I64(row.noticed_at);
  return Cipher::Mac(key.View(), writer.bytes());
}

Result<std::optional<NoticeRow>> FindNotice(const OpenVault& vault, Store& store, const ProvenKey& key) {
  if (key.state() != KeyState::kSuspended) return std::nullopt;
  TRY_ASSIGN(std::optional<NoticeRow> row, store.FindNotice(key.row().key_ref));
  if (!row || row->row_version != vault.stops->VersionOf(row->key_ref)) return std::nullopt;
  TRY_ASSIGN(const auto keys, vault.Keys());
  TRY_ASSIGN(const Bytes mac, NoticeMac(*keys->profile_key, vault.vault_id, *row));
  if (!Cipher::Equal(mac, row->vault_mac)) return std::nullopt;
  return row;
}

}  // namespace strongroom::vault
