// The nodes' keys, and the KEKs that are on their way to them.
#include "vault/store.h"

namespace strongroom::vault {

Result<void> Store::ForgetNodeKeks(std::string_view node) {
  TRY(database_.Execute("DELETE FROM NODE_KEK WHERE NODE_ID = ?1", {node}));
  return {};
}

#define REMOVALS "WHERE ACTION <> 'resolve' AND ACTION = 'remove_node' AND OUTCOME = 'ok'"

Result<void> Store::EachRemoval(const audit::TakeEntry& take) {
  const bool one_log = database_.engine() == sql::Engine::kSqlite;
  TRY_ASSIGN(sql::Statement * rows, database_.Query(one_log ? sql::Sql("SELECT RECORD FROM AUDIT_LOG " REMOVALS)
                                                            : sql::Sql("SELECT RECORD FROM AUDIT_TRAIL " REMOVALS)));
  return audit::EachEntry(*rows, take);
}

Result<std::optional<NodeKeyRow>> Store::FindNodeKey(std::string_view node) {
  TRY_ASSIGN(sql::Statement * row,
             database_.QueryOne("SELECT NODE_ID, PUBLIC_KEY, VAULT_MAC, JOIN_MAC FROM NODE_KEY WHERE NODE_ID = ?1", {node}));
  if (row == nullptr) return std::nullopt;
  NodeKeyRow key{row->Text(0), row->Blob(1), row->Blob(2), row->Blob(3)};
  row->Reset();
  return key;
}

Result<void> Store::PutNodeKey(const NodeKeyRow& row) {
  TRY(database_.Execute("INSERT INTO NODE_KEY (NODE_ID, PUBLIC_KEY, VAULT_MAC, JOIN_MAC) VALUES (?1, ?2, ?3, ?4) "
                        "ON CONFLICT (NODE_ID) DO UPDATE SET PUBLIC_KEY = excluded.PUBLIC_KEY, "
                        "VAULT_MAC = excluded.VAULT_MAC, JOIN_MAC = excluded.JOIN_MAC",
                        {std::string_view(row.node_id), ByteView(row.public_key), ByteView(row.vault_mac), ByteView(row.join_mac)}));
  return {};
}

Result<void> Store::EraseNodeKey(std::string_view node) {
  TRY(database_.Execute("DELETE FROM NODE_KEY WHERE NODE_ID = ?1", {node}));
  return {};
}

Result<std::vector<KekForNodeRow>> Store::ListKeksForNode(std::string_view node) {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT NODE_ID, KEK_VERSION, SEALED, VAULT_MAC FROM KEK_FOR_NODE WHERE ?1 = '' OR NODE_ID = ?1 "
                             "ORDER BY NODE_ID, KEK_VERSION",
                             {node}));
  std::vector<KekForNodeRow> keks;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return keks;
    keks.push_back({rows->Text(0), rows->Int64(1), rows->Blob(2), rows->Blob(3)});
  }
}

Result<void> Store::PutKekForNode(const KekForNodeRow& row) {
  TRY(database_.Execute("INSERT INTO KEK_FOR_NODE (NODE_ID, KEK_VERSION, SEALED, VAULT_MAC) VALUES (?1, ?2, ?3, ?4) "
                        "ON CONFLICT (NODE_ID, KEK_VERSION) DO UPDATE SET SEALED = excluded.SEALED, VAULT_MAC = excluded.VAULT_MAC",
                        {std::string_view(row.node_id), row.kek_version, ByteView(row.sealed), ByteView(row.vault_mac)}));
  return {};
}

Result<void> Store::EraseKeksFor(std::string_view node) {
  TRY(database_.Execute("DELETE FROM KEK_FOR_NODE WHERE NODE_ID = ?1", {node}));
  return {};
}

Result<void> Store::EraseKekForNodes(std::int64_t version) {
  TRY(database_.Execute("DELETE FROM KEK_FOR_NODE WHERE KEK_VERSION = ?1", {version}));
  return {};
}

}  // namespace strongroom::vault
