// OpenVault: what vaultd holds while it runs, and what every operation works on.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "audit/edged_tree.h"
#include "audit/log_writer.h"
#include "base/clock.h"
#include "base/config.h"
#include "sql/database.h"
#include "vault/anteroom.h"
#include "vault/grace_watch.h"
#include "vault/quota_watch.h"
#include "vault/lease.h"
#include "vault/nodes.h"
#include "vault/proofs.h"
#include "vault/pruner.h"
#include "vault/publisher.h"
#include "vault/quarantine.h"
#include "vault/releases.h"
#include "vault/reserve.h"
#include "vault/rewrap.h"
#include "vault/service.h"
#include "vault/stops.h"
#include "vault/store.h"
#include "vault/suspects.h"
#include "vault/ticket_keeper.h"
#include "vault/trail.h"
#include "vault/trail_stops.h"
#include "vault/vault_keys.h"

namespace strongroom::vault {

// The names of the vault's own keys in VAULT_SECRET.
inline constexpr std::string_view kProfileMacSecret = "profile-mac";
inline constexpr std::string_view kFingerprintSecret = "fingerprint";
inline constexpr std::string_view kApprovalMacSecret = "approval-mac";
inline constexpr std::string_view kTrailKeySecret = "trail-signing";  // a seed
inline constexpr std::string_view kOldTrailKeySecret = "trail-signing-before";  // as well, while a rotation is under way

// TrailSecrets is under which names a log's signing keys lie. Where nodes share a database each has its own from its first rotation
// on, and until then signs with the one of all, kTrailKeySecret.
struct TrailSecrets {
  std::string own, before;
};
TrailSecrets TrailSecretsOf(const base::Config& config, std::string_view node);

// KeptEpoch is the epoch as this process last saw it committed. Thread-safe.
class KeptEpoch {
 public:
  std::int64_t value() const { return value_.load(); }
  // Publish keeps the new epoch and tells the handler, outside any lock of the database.
  void Publish(std::int64_t epoch);
  void OnChange(std::function<void(std::int64_t)> handler);
  // Doubt marks the value as perhaps behind the database (a COMMIT whose outcome is unknown); TakeDoubt asks once.
  void Doubt() { doubted_.store(true); }
  bool TakeDoubt() { return doubted_.exchange(false); }

 private:
  std::atomic<std::int64_t> value_{0};
  std::atomic<bool> doubted_{false};
  std::mutex mutex_;  // guards handler_
  std::function<void(std::int64_t)> handler_;
};

// Rewrapper is the rotation that works at present, so that a second one is told. The writer's thread alone.
struct Rewrapper {
  std::string run;
  base::Micros seen = 0;    // MonoMicros of its latest chunk
  std::int64_t seq = 0;     // that chunk's record
  base::Micros others = 0;  // MonoMicros when other records last stood between two chunks
};

struct OpenVault {
  OpenVault(base::Config vault_config, std::string id, std::string node)
      : config(std::move(vault_config)), vault_id(std::move(id)), node_id(std::move(node)) {}

  // Keys refuses with kSealed where no KEK is in memory: nothing then opens.
  Result<std::shared_ptr<const VaultKeys>> Keys() const;
  bool sealed() const { return held.Get() == nullptr; }

  const base::Config config;
  const std::string vault_id;
  const std::string node_id;  // this home's (vault/node_id.h)
  HeldKeys held;  // put by the writer's thread alone
  const base::Micros opened_at = base::MonoMicros();
  KeptEpoch epoch;
  std::unique_ptr<Stops> stops;            // there from LoadVault on
  TrailStops trail_stops;                  // the writer's thread alone, or before that one runs
  std::unique_ptr<Quarantine> quarantine;  // as well
  std::unique_ptr<Trail> trail;            // as well
  std::unique_ptr<Reserve> reserve;        // as well
  Lease lease;
  Rewrapper rewrapper;
  RewrapAhead ahead{*this};
  std::atomic<std::int64_t> seals{0};      // so often was it sealed: an unseal that was begun before ends
  std::atomic<int> unsealing{0};           // unseals under way
  std::atomic<bool> stopping{false};  // what goes on in further transactions ends with the one at hand
  Proofs proofs{*this};                   // the writer's thread alone
  Releases releases{config.vault};        // the same, but for what it denied
  Suspects suspects{config.vault};        // the same
  audit::TreeEdge proof_edge;             // the same: of the checkpoint that was proved against last
  std::unique_ptr<sql::Database> reader;  // Handle's thread alone: questions are answered from here
  base::Micros reader_retry_at = 0;       // the same: when it may be opened anew (MonoMicros)
  std::unique_ptr<Nodes> nodes;           // nullptr where the vault is in a file and this vaultd its only one
  Pruner pruner{*this};                   // the publisher's thread looks
  GraceWatch grace_watch{*this};          // as well
  QuotaWatch quota_watch{*this};          // the same
  TicketKeeper tickets{*this};            // the same
  Anteroom anteroom;                      // what is in it goes on to the log: ~Service closes it before the log stops
  std::unique_ptr<audit::LogWriter> log;  // its thread uses all of the above until it has stopped
  std::unique_ptr<Publisher> publisher;   // from Service::Open on; publishes the log's last checkpoint
};

// SealNow gives up the keys, `because` for a person, and whatever else in memory was made with them; an unseal or another ceremony
// under way ends. On the writer's thread.
void SealNow(OpenVault& vault, std::string_view because);

// LoadVault opens the vault database and keys of a configuration and starts the trail's writer; nothing is recorded.
std::expected<std::unique_ptr<OpenVault>, VaultProblem> LoadVault(const base::Config& config);

// DatabaseName is the vault database as its messages call it: never a URL that may hold a password.
std::string DatabaseName(const base::Config& config);

// OpenReader opens the connection that answers questions.
Result<std::unique_ptr<sql::Database>> OpenReader(const base::Config& config, const std::string& node);
// WritingOptions is how the connections that write the trail are opened.
sql::OpenOptions WritingOptions(const std::string& node);
// ThisNode is a node's row as this process enters it.
NodeRow ThisNode(const std::string& node, std::string_view status);

// SystemActor is this process as an actor in the trail; ActorOf is a peer, under the role that allowed its act.
audit::Actor SystemActor();
audit::Actor ActorOf(const Peer& peer, std::string_view role);
// LogName is the id of a node's new log: vault id, host and node id, a plain name. BootName is 32 random hexadecimal digits.
std::string LogName(std::string_view vault_id, std::string_view node);
std::string BootName();

}  // namespace strongroom::vault
