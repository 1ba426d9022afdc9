#include "vault/store.h"

namespace strongroom::vault {

Result<std::vector<NodeRow>> Store::ListNodes() {
  TRY_ASSIGN(sql::Statement * rows,
             database_.Query("SELECT NODE_ID, HOST, STATUS, BOOT, RENEWALS, ACKNOWLEDGED_EPOCH, SEEN_AT, PUBLIC_KEY FROM NODE "
                             "ORDER BY NODE_ID"));
  std::vector<NodeRow> nodes;
  while (true) {
    TRY_ASSIGN(const bool more, rows->Next());
    if (!more) return nodes;
    nodes.push_back({rows->Text(0), rows->Text(1), rows->Text(2), rows->Text(3), rows->Int64(4), rows->Int64(5),
                     rows->Int64(6), rows->Blob(7)});
  }
}

Result<void> Store::InsertNode(const NodeRow& row) {
  TRY(database_.Execute("INSERT INTO NODE (NODE_ID, HOST, STATUS, BOOT, RENEWALS, ACKNOWLEDGED_EPOCH, SEEN_AT, PUBLIC_KEY) "
                        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                        {std::string_view(row.node_id), std::string_view(row.host), std::string_view(row.status),
                         std::string_view(row.boot), row.renewals, row.acknowledged_epoch, row.seen_at,
                         ByteView(row.public_key)}));
  return {};
}

}  // namespace strongroom::vault
