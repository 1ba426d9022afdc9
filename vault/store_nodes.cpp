#include <map>

#include "audit/note.h"
#include "base/process.h"
#include "vault/store.h"

namespace strongroom::vault {

Result<std::vector<NodeRow>> Store::ListNodes() {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT NODE_ID, HOST, STATUS, BOOT, RENEWALS, ACKNOWLEDGED_EPOCH, SEEN_AT, VERIFIER_KEY FROM NODE "
                             "ORDER BY NODE_ID"));
  std::vector<NodeRow> nodes;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return nodes;
    nodes.push_back({rows->Text(0), rows->Text(1), rows->Text(2), rows->Text(3), rows->Int64(4), rows->Int64(5),
                     rows->Int64(6), rows->Text(7)});
  }
}

Result<void> Store::InsertNode(const NodeRow& row) {
  TRY(database_.Execute("INSERT INTO NODE (NODE_ID, HOST, STATUS, BOOT, RENEWALS, ACKNOWLEDGED_EPOCH, SEEN_AT) "
                        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                        {std::string_view(row.node_id), std::string_view(row.host), std::string_view(row.status),
                         std::string_view(row.boot), row.renewals, row.acknowledged_epoch, row.seen_at}));
  return {};
}

Result<void> Store::PutVerifierKey(std::string_view node, std::string_view verifier_key) {
  TRY(database_.Execute("UPDATE NODE SET VERIFIER_KEY = ?1 WHERE NODE_ID = ?2 AND VERIFIER_KEY <> ?1", {verifier_key, node}));
  return {};
}

Result<Bytes> Store::TrailPublicKey(std::string_view node) {
  std::string said;
  if (database_.engine() != sql::Engine::kSqlite) {
    TRY_ASSIGN(sql::Statement * row, database_.QueryOne("SELECT VERIFIER_KEY FROM NODE WHERE NODE_ID = ?1", {node}));
    if (row != nullptr) {
      said = row->Text(0);
      row->Reset();
    }
  }
  if (said.empty()) {
    TRY_ASSIGN(VaultRow vault, FindVault());
    return std::move(vault.trail_public_key);
  }
  auto key = audit::VerifierKey::Parse(said);
  if (!key) return Fail(Code::kCorrupt, "a node's verifier key is none");
  return std::move(key->public_key);
}

Result<std::int64_t> Store::MembersWithoutSecret(std::string_view prefix) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT COUNT(*) FROM NODE N WHERE STATUS = 'MEMBER' AND NOT EXISTS (SELECT 1 FROM VAULT_SECRET S "
                                "WHERE S.SECRET_NAME = ?1 || N.NODE_ID)",
                                {prefix}));
  const std::int64_t count = row == nullptr ? 0 : row->Int64(0);
  if (row != nullptr) row->Reset();
  return count;
}

Result<bool> Store::TakeLease(const NodeRow& before, std::string_view boot, std::int64_t epoch, base::Micros now) {
  const std::string host = base::HostName();
  TRY_ASSIGN(const std::int64_t changed,
             database_.Execute("WITH V AS (SELECT EPOCH FROM VAULT FOR SHARE) UPDATE NODE SET BOOT = ?1, HOST = ?2, "
                               "RENEWALS = RENEWALS + 1, ACKNOWLEDGED_EPOCH = ?3, SEEN_AT = ?4 FROM V WHERE V.EPOCH = ?3 AND "
                               "NODE_ID = ?5 AND STATUS = 'MEMBER' AND BOOT = ?6 AND RENEWALS = ?7",
                               {boot, std::string_view(host), epoch, now, std::string_view(before.node_id),
                                std::string_view(before.boot), before.renewals}));
  return changed == 1;
}

Result<bool> Store::RenewLease(std::string_view node, std::string_view boot, std::int64_t epoch, base::Micros now) {
  TRY_ASSIGN(const std::int64_t changed,
             database_.Execute("WITH V AS (SELECT EPOCH FROM VAULT FOR SHARE) UPDATE NODE SET RENEWALS = RENEWALS + 1, "
                               "ACKNOWLEDGED_EPOCH = ?1, SEEN_AT = ?2 FROM V WHERE V.EPOCH = ?1 AND NODE_ID = ?3 AND "
                               "STATUS = 'MEMBER' AND BOOT = ?4",
                               {epoch, now, node, boot}));
  return changed == 1;
}

Result<void> Store::LeaveLease(std::string_view node, std::string_view boot) {
  TRY(database_.Execute("UPDATE NODE SET BOOT = '' WHERE NODE_ID = ?1 AND BOOT = ?2", {node, boot}));
  return {};
}

Result<void> Store::MoveNode(std::string_view node, std::string_view from, std::string_view to) {
  TRY_ASSIGN(const std::int64_t changed,
             database_.Execute("UPDATE NODE SET STATUS = ?1 WHERE NODE_ID = ?2 AND STATUS = ?3", {to, node, from}));
  if (changed != 1) return Fail(Code::kConflict, "the node's row was changed by somebody else");
  return {};
}

Result<void> Store::NoteKek(std::string_view node, std::int64_t version) {
  TRY(database_.Execute("INSERT INTO NODE_KEK (NODE_ID, KEK_VERSION) VALUES (?1, ?2) ON CONFLICT DO NOTHING", {node, version}));
  return {};
}

Result<std::vector<std::string>> Store::NodesWithout(std::int64_t version) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT NODE_ID FROM NODE N WHERE STATUS = 'MEMBER' AND NOT EXISTS (SELECT 1 FROM NODE_KEK K WHERE "
                             "K.NODE_ID = N.NODE_ID AND K.KEK_VERSION = ?1) ORDER BY NODE_ID",
                             {version}));
  std::vector<std::string> nodes;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return nodes;
    nodes.push_back(rows->Text(0));
  }
}

Result<std::map<std::string, std::vector<std::int64_t>>> Store::ListNodeKeks() {
  TRY_ASSIGN(sql::Statement * rows, database_.Query("SELECT NODE_ID, KEK_VERSION FROM NODE_KEK ORDER BY NODE_ID, KEK_VERSION"));
  std::map<std::string, std::vector<std::int64_t>> keks;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return keks;
    keks[rows->Text(0)].push_back(rows->Int64(1));
  }
}

}  // namespace strongroom::vault
