// node: the vaultds that share a vault database.
#pragma once

#include <string>

#include "keytool/context.h"
#include "keytool/problem.h"

namespace strongroom::keytool {

// JoinNode makes a home for the vault in a server's database, by `vaultd --join`.
Outcome<void> JoinNode(const Context& context, const std::string& vault_database);
Outcome<void> ListNodes(const Context& context);
// ShowNodePhrase prints this home's check phrase, by `vaultd --node-phrase`.
Outcome<void> ShowNodePhrase(const Context& context);
// PhraseSource is --phrase and --phrase-file, each empty where it was not given; without both the phrase is asked for.
struct PhraseSource {
  std::string phrase, file;
};
// ConfirmNode and RemoveNode are asked of a node that serves already.
Outcome<void> ConfirmNode(const Context& context, const std::string& node, const PhraseSource& source, const std::string& reason);
Outcome<void> RemoveNode(const Context& context, const std::string& node, const std::string& reason);

}  // namespace strongroom::keytool
