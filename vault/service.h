// Service: what vaultd does, without its socket. One table says which operations there are, who may ask, and what is
// recorded; what is not in the table is denied.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/config.h"
#include "base/result.h"
#include "vault/protocol.h"
#include "vault/secret.h"

namespace strongroom::vault {

enum class Role : std::uint8_t { kAdmin = 1, kWorker = 2, kAuditor = 4 };
// RoleName is the role's name in strongroom.toml and in the trail.
std::string_view RoleName(Role role);

// Peer is one client, as the kernel named it when it connected.
struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::uint64_t pid_start = 0;
  std::string name;
  std::uint8_t roles = 0;  // a set of Role bits

  bool Has(Role role) const { return (roles & static_cast<std::uint8_t>(role)) != 0; }
};

// Reply is an operation's success: the body, and, where a key is to follow, how to open it. The server calls
// `open_secret` on its own thread just before it writes, so that plaintext lives no longer than the write.
struct Reply {
  explicit Reply(Bytes reply_body) : body(std::move(reply_body)) {}
  Bytes body;
  std::function<Result<SecretValue>()> open_secret;
};
using Done = std::function<void(Result<Reply>)>;

// VaultProblem is why vaultd cannot start or a vault cannot be made: one line for a person, no secret.
struct VaultProblem {
  std::string text;
};

class Service {
 public:
  // Open opens the vault database, checks schema and KEKs against their check values, starts the trail's writer, and
  // records the start. The caller holds the home's lock.
  static std::expected<std::unique_ptr<Service>, VaultProblem> Open(const base::Config& config);
  // The destructor records the stop and waits until it is durable.
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Handle runs one request and calls `done` exactly once, on any thread; it must be quick and must not block.
  void Handle(const Peer& peer, std::uint8_t operation, Bytes body, std::optional<SecretValue> secret, Done done);

  // Hurry ends the wait of a ceremony for a token, on any thread: vaultd is about to stop.
  void Hurry();

  // RecordStrangers appends the one record a minute that counts peers closed for want of a role.
  void RecordStrangers(std::int64_t count, const Peer& latest);

  // OnEpoch is called, on any thread, after each commit that moved the epoch.
  void OnEpoch(std::function<void(std::int64_t)> handler);
  std::int64_t epoch() const;

 private:
  struct State;
  explicit Service(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// InitVault makes a new home: directory, strongroom.toml, first KEK, vault and work databases with their schemas, the
// vault's own keys, the seeded rate card, and the trail with its first record. It refuses a home that has any of
// these, and a directory with other things in it that is open to more than its group; an empty one it makes 0750. On
// failure it removes what it made. `vault_database` is the URL of a server's empty database ("odbc:…") that takes vault.db's
// place; `organization` is what the names of the vault's logs begin with. The result is a line for a person, empty where there is nothing to say.
std::expected<std::string, VaultProblem> InitVault(const std::string& home, const std::string& vault_database = "",
                                                   const std::string& organization = std::string(base::kDefaultOrganization));

// JoinVault makes a home whose vaultd is to serve the vault in a server's database, beside those that do: like InitVault, but
// its node is JOINING until an admin confirms it on another, and kek/ is empty. The result is the node's id and, on a line of
// its own, its check phrase (vault/node_key.h); NodePhrase is that phrase again, of a home that has one.
std::expected<std::string, VaultProblem> JoinVault(const std::string& home, const std::string& vault_database,
                                                   const std::string& organization = std::string(base::kDefaultOrganization));
std::expected<std::string, VaultProblem> NodePhrase(const std::string& home);

}  // namespace strongroom::vault
