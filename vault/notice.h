// Notice: what says that a key is SUSPENDED because its provider refused it, and not by an admin's decision. Only then may one person
// have it go on, behind a probe (two people: vault/two_people.h), and do workers leave its requests in the queue.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "vault/proven_key.h"
#include "vault/secret.h"
#include "vault/store.h"

namespace strongroom::vault {

struct OpenVault;

// NoticeMac is HMAC-SHA-256 under the key `profile-mac` (vault/PROTOCOL.md).
Result<Bytes> NoticeMac(const MacKey& key, std::string_view vault_id, const NoticeRow& row);

// FindNotice is the notice behind a key's suspension, nullopt where there is none that counts: its MAC is the vault's, and it is of the
// key's row as it stands, by its ROW_VERSION. So neither an edited row nor one of an earlier suspension counts.
Result<std::optional<NoticeRow>> FindNotice(const OpenVault& vault, Store& store, const ProvenKey& key);

// CarryNotice has the notice, if any, go with a row that is written without a change of its STATE, in that transaction: `before` is the
// ROW_VERSION that it had.
Result<void> CarryNotice(const OpenVault& vault, const VaultKeys& keys, Store& store, const KeyRow& row, std::int64_t before);

}  // namespace strongroom::vault
