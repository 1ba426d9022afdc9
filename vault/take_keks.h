// TakeKeks: this node takes up the KEK versions that lie in the database for it, sealed to its key.
#pragma once

#include <memory>

#include "base/result.h"
#include "vault/kek_directory.h"
#include "vault/node_key.h"
#include "vault/open_vault.h"
#include "vault/operations.h"
#include "vault/store.h"

namespace strongroom::vault {

// AwaitsUnseal is whether this node cannot take up anything now: it is sealed, and not because it never had a KEK. What it has
// decides what it may trust, so it waits for that.
Result<bool> AwaitsUnseal(const OpenVault& vault, Store& store);

// MakeTakeKeks is the act that opens them, compares them with what the database knows them by, puts them under this node's
// protectors and says that it holds them; what was sealed is erased in the same transaction. The files come before the commit:
// killed in between, the node finds them at its next start, and only says so. A node without any KEK puts them in N.key
// files, and demands that whoever sent them knew its check phrase. What its token wraps is wrapped in Prepare; kConflict where
// things are other by then. The key outlives the act.
std::unique_ptr<Act> MakeTakeKeks(OpenVault& vault, const NodeKey& key);

}  // namespace strongroom::vault
