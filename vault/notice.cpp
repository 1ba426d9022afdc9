#include "vault/notice.h"

#include "vault/cipher.h"
#include "vault/open_vault.h"

namespace strongroom::vault {
namespace {

constexpr std::string_view kDomain = "strongroom/notice/v1";

// FindOf is the notice of a key at one ROW_VERSION, if there is one that the vault made.
Result<std::optional<NoticeRow>> FindOf(const OpenVault& vault, const VaultKeys& keys, Store& store, const std::string& key_ref, std::int64_t row_version) {
  TRY_ASSIGN(std::optional<NoticeRow> notice, store.FindNotice(key_ref));
  if (!notice || notice->row_version != row_version) return std::nullopt;
  TRY_ASSIGN(const Bytes mac, NoticeMac(*keys.profile_key, vault.vault_id, *notice));
  return Cipher::Equal(mac, notice->vault_mac) ? std::move(notice) : std::nullopt;
}

}  // namespace

Result<Bytes> NoticeMac(const MacKey& key, std::string_view vault_id, const NoticeRow& row) {
  base::ByteWriter writer;
  writer.Field(kDomain).Field(vault_id).Field(row.key_ref).I64(row.row_version).I64(row.http_status).I64(row.noticed_at);
  return Cipher::Mac(key.View(), writer.bytes());
}

Result<std::optional<NoticeRow>> FindNotice(const OpenVault& vault, Store& store, const ProvenKey& key) {
  if (key.state() != KeyState::kSuspended) return std::nullopt;
  TRY_ASSIGN(const auto keys, vault.Keys());
  return FindOf(vault, *keys, store, key.row().key_ref, key.row().row_version);
}

Result<void> CarryNotice(const OpenVault& vault, const VaultKeys& keys, Store& store, const KeyRow& row, std::int64_t before) {
  if (row.status != StateName(KeyState::kSuspended)) return {};
  TRY_ASSIGN(std::optional<NoticeRow> notice, FindOf(vault, keys, store, row.key_ref, before));
  if (!notice) return {};
  notice->row_version = row.row_version;
  TRY_ASSIGN(notice->vault_mac, NoticeMac(*keys.profile_key, vault.vault_id, *notice));
  return store.PutNotice(*notice);
}

}  // namespace strongroom::vault
