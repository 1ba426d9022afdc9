// Store: the vault database's rows and the statements that read and write them. It knows columns, not rules: what a
// row is worth is proved elsewhere (vault/proven_key.h, vault/profile_mac.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "audit/edged_tree.h"
#include "audit/entries.h"
#include "audit/rotation.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "sql/database.h"
#include "vault/envelope.h"
#include "vault/keyring.h"
#include "vault/protocol.h"

namespace strongroom::vault {

// KeyRow is KEY_VAULT as stored: nothing in it may be believed before ProvenKey has proved it. Rows are equal where
// every column is.
struct KeyRow {
  std::string key_ref, customer, provider;
  std::int64_t key_version = 0;
  Sealed sealed;  // ENCRYPTED_KEY, NONCE_KEY, ENCRYPTED_DEK, NONCE_DEK
  std::int64_t kek_version = 0;
  std::string status;
  base::Micros created_at = 0;
  std::optional<base::Micros> last_used_at, revoked_at;
  std::string label, origin, hosted;
  std::int64_t row_version = 0;
  std::optional<base::Micros> grace_until;
  base::Micros state_changed_at = 0;
  std::string fingerprint;
  AccountLimit limit;  // LIMIT_RPM, LIMIT_TPM
  bool operator==(const KeyRow&) const = default;
};

// BoundProfile is what of AI_PROFILE decides whose key goes where, and how much of it: all that VAULT_MAC covers, and VAULT_MAC itself.
struct BoundProfile {
  std::string profile_ref, customer, mode, provider, endpoint;
  std::optional<std::string> key_ref;
  Bytes vault_mac;
  std::string status;
  std::optional<std::int64_t> rpm, tpm, quota;
  std::optional<base::Micros> over_quota_until;
  bool operator==(const BoundProfile&) const = default;
};

// ProfileRow is AI_PROFILE as stored; VAULT_MAC says whether it may be believed.
struct ProfileRow : BoundProfile {
  std::string profile_name, model;
  std::int64_t default_max_tokens = 1024;
  std::optional<std::int64_t> default_temp_tenths;
  std::optional<std::string> system_prompt;
  std::optional<std::string> models_allowed, api_version;
  std::optional<std::string> notes;
  base::Micros created_at = 0, updated_at = 0;
};

struct VaultRow {
  std::string vault_id;
  std::int64_t epoch = 0;
  base::Micros created_at = 0;
  Bytes trail_public_key;  // Ed25519, 32 bytes: of the key that signs checkpoints
};

struct KekRow {
  std::int64_t version = 0;
  Bytes check_value;
  std::string status;  // PREPARED, ACTIVE, RETIRING, RETIRED, DESTROYED
  base::Micros created_at = 0, changed_at = 0;
};

// RecoverySetRow is RECOVERY_SET as stored; its MAC says whether it may be believed (vault/recovery.h).
struct RecoverySetRow {
  std::int64_t number = 0;
  std::string set_id;
  Bytes public_key;
  std::int64_t threshold = 0;
  Bytes digests;
  std::string custodians;
  base::Micros created_at = 0;
  Bytes vault_mac;
};

// SealedKekRow is KEK_RECOVERY as stored.
struct SealedKekRow {
  std::int64_t set_number = 0, kek_version = 0;
  Bytes sealed, vault_mac;
};

// ApprovalRow is APPROVAL as stored: nothing in it may be believed before VerifyApproval has (vault/approval.h).
struct ApprovalRow {
  std::string approval_id;
  std::int64_t operation = 0;
  Bytes digest;
  std::string act, reason;
  std::int64_t author_uid = 0;
  std::string author;
  base::Micros proposed_at = 0, expires_at = 0;
  std::string status;
  std::optional<std::int64_t> decider_uid;  // with it: decider and decided_at
  std::string decider;
  base::Micros decided_at = 0;
  Bytes mac;
};

// NoticeRow is KEY_NOTICE: a key that was SUSPENDED because its provider refused it, and the ROW_VERSION of that.
struct NoticeRow {
  std::string key_ref;
  std::int64_t row_version = 0;
  std::int64_t http_status = 0;
  base::Micros noticed_at = 0;
  Bytes vault_mac;
};

// SwitchRow is TWO_PEOPLE: the last word on whether two people are demanded.
struct SwitchRow {
  bool on = false;
  base::Micros changed_at = 0;
  Bytes mac;
};
// NodeRow is one vaultd that serves this vault, as registered. What `boot` holds is its lease (vault/lease.h).
struct NodeRow {
  std::string node_id, host;
  std::string status;  // JOINING, MEMBER, REMOVED
  std::string boot;
  std::int64_t renewals = 0, acknowledged_epoch = 0;
  base::Micros seen_at = 0;
  std::string verifier_key;  // as it says of its own log; empty where it never served
};
// NodeKeyRow is NODE_KEY as stored, and KekForNodeRow KEK_FOR_NODE: their MACs say whether they may be believed
// (vault/node_keks.h).
struct NodeKeyRow {
  std::string node_id;
  Bytes public_key, vault_mac, join_mac;
};
struct KekForNodeRow {
  std::string node_id;
  std::int64_t kek_version = 0;
  Bytes sealed, vault_mac;
  bool operator==(const KekForNodeRow&) const = default;
};
// TicketRow is KEY_TICKET as stored: nothing of one that is OPEN may be believed before ProvenTicket has proved it (vault/proven_ticket.h).
struct TicketRow {
  std::string ticket_id, customer, provider, endpoint, origin, rotates;
  Bytes public_key;
  base::Micros created_at = 0, expires_at = 0;
  std::string status;  // OPEN, USED, CANCELLED, EXPIRED
  base::Micros changed_at = 0;
  std::string key_ref;
  std::int64_t kek_version = 0;
  Bytes nonce, private_key;  // wrapped; both empty where it is not OPEN
};
// LogRow is AUDIT_LOG as stored, columns and bytes: verification compares them. LogPage is which of them.
struct LogRow {
  std::int64_t seq = 0;
  base::Micros at = 0;
  std::string action, outcome, key_ref, record;
};
struct LogPage {
  base::Micros since = 0, after_at = 0;
  std::int64_t after_seq = -1, most = 0;
};
// StopRecord is a record as StopRecords finds it, and the log it is in.
struct StopRecord {
  std::string record;
  base::Micros at = 0;
  std::string node;
  std::int64_t seq = 0;
};
inline constexpr std::string_view kTicketOpen = "OPEN", kTicketUsed = "USED", kTicketCancelled = "CANCELLED", kTicketExpired = "EXPIRED";
inline constexpr std::string_view kNodeJoining = "JOINING", kNodeMember = "MEMBER", kNodeRemoved = "REMOVED";

// Copies are those of a key that go on, those that leaked, and those that were destroyed.
enum class Copies : std::uint8_t { kInUse, kCompromised, kDestroyed };

// Store lends a connection for as long as one act or question takes. Errors are sql::Database's own.
class Store {
 public:
  explicit Store(sql::Database& database) : database_(database) {}

  // Keys. Insert is kAlreadyExists where the KEY_REF is taken.
  Result<std::optional<KeyRow>> FindKey(std::string_view key_ref);
  // ListKeys is at most `most` rows after the KEY_REF `after`, in its order; an empty customer or status is any.
  Result<std::vector<KeyRow>> ListKeys(std::string_view customer, std::string_view status, std::string_view after,
                                       std::int64_t most);
  // KeysChanged is a page like it of those whose state is neither PENDING nor ACTIVE and changed at `since` or later.
  Result<std::vector<KeyRow>> KeysChanged(base::Micros since, std::string_view after, std::int64_t most);
  // KeysOutOfGrace is the ROTATED ones whose grace ended at `until` or before, at most `most`, the oldest end first.
  Result<std::vector<KeyRow>> KeysOutOfGrace(base::Micros until, std::int64_t most);
  Result<std::int64_t> NewestVersion(std::string_view customer, std::string_view provider, std::string_view label);
  Result<void> InsertKey(const KeyRow& row);
  // UpdateKey writes what may change of a row, where it still has ROW_VERSION `expected`; kConflict where it has not.
  Result<void> UpdateKey(const KeyRow& row, std::int64_t expected);
  // KeysUnder is what a rewrap needs (no payload) of up to `most` rows whose wraps are under a KEK version, in the order
  // of KEY_REF and behind `after`. A destroyed row has no wrap.
  Result<std::vector<KeyRow>> KeysUnder(std::int64_t kek_version, std::string_view after, std::int64_t most);
  // UpdateWrap writes ENCRYPTED_DEK, NONCE_DEK, KEK_VERSION and ROW_VERSION alone, where the row still has ROW_VERSION
  // `expected` and KEK_VERSION `expected_kek`; kConflict where it has not.
  Result<void> UpdateWrap(const KeyRow& row, std::int64_t expected, std::int64_t expected_kek);
  // CountOutside is the census: every wrap, of keys, of tickets and of the vault's own secrets, that is not under the ACTIVE version.
  // It goes by what is there, not by what a row's STATUS says.
  Result<std::int64_t> CountOutside(std::int64_t active);
  // NamesOutside is the first keys ("KEY_REF") and tickets ("ticket ID") with a wrap that is under neither version.
  Result<std::vector<std::string>> NamesOutside(std::int64_t active, std::int64_t retiring);
  // RotationsAt hands over the records, of any node's log, of rotations at that time.
  Result<void> RotationsAt(base::Micros at, const audit::TakeEntry& take);
  // LastUsed is when the trail, of any node, last saw the key go out.
  Result<std::optional<base::Micros>> LastUsed(std::string_view key_ref);
  // WasHeld is whether the trail, of any node and as far back as it goes, has an act on a key of this name that was done.
  Result<bool> WasHeld(std::string_view key_ref);
  // IsHeldElsewhere is whether another key has this fingerprint.
  Result<bool> IsHeldElsewhere(std::string_view fingerprint, std::string_view key_ref);
  // CopiesOf is the other KEY_REFs in one of these states under which a key with this fingerprint is held, the first 20.
  Result<std::vector<std::string>> CopiesOf(std::string_view fingerprint, std::string_view key_ref, Copies which);
  // EachRelease hands over the records of the releases, and of what was reported of them, among the trail's newest `most`, in order.
  Result<void> EachRelease(std::int64_t most, const audit::TakeEntry& take);
  Result<std::map<std::string, std::int64_t>> CountKeysByStatus();
  // Notices, one a key at most: PutNotice replaces it. CountNotices is of the keys that are SUSPENDED, proved or not.
  Result<std::optional<NoticeRow>> FindNotice(std::string_view key_ref);
  Result<void> PutNotice(const NoticeRow& row);
  Result<void> EraseNotice(std::string_view key_ref);
  Result<std::int64_t> CountNotices();
  // CountKeysByKek leaves out what is destroyed: it has no wrap.
  Result<std::map<std::int64_t, std::int64_t>> CountKeysByKek();

  // Profiles. Insert and Update are kAlreadyExists where (CUSTOMER, PROFILE_NAME) is taken.
  Result<std::optional<ProfileRow>> FindProfile(std::string_view profile_ref);
  Result<std::optional<BoundProfile>> FindBoundProfile(std::string_view profile_ref);
  Result<std::vector<ProfileRow>> ListProfiles(std::string_view customer, std::string_view status,
                                               std::string_view after, std::int64_t most);
  Result<std::vector<ProfileRow>> ProfilesOfKey(std::string_view key_ref);
  // RpmOfKey is the sum of RPM over the ACTIVE profiles of a key; nullopt where there is none, or one without RPM.
  Result<std::optional<std::int64_t>> RpmOfKey(std::string_view key_ref);
  // ProfilesOverQuota is those whose OVER_QUOTA_UNTIL was reached at `until`, at most `most`, the earliest first; CountOverQuota of all that are.
  Result<std::vector<std::string>> ProfilesOverQuota(base::Micros until, std::int64_t most);
  Result<std::int64_t> CountOverQuota();
  // WasServed: the trail, of any node, says that this actor was given a key for this customer since then.
  Result<bool> WasServed(std::string_view customer, std::string_view actor, base::Micros since);
  Result<void> InsertProfile(const ProfileRow& row);
  Result<void> UpdateProfile(const ProfileRow& row);
  Result<std::int64_t> CountProfiles();

  // Tickets, by their ids. ListTickets is a page as ListKeys has them; TicketsUnder those whose wrap is under a KEK version.
  Result<std::optional<TicketRow>> FindTicket(std::string_view ticket_id);
  Result<std::vector<TicketRow>> ListTickets(std::string_view customer, std::string_view status, std::string_view after, std::int64_t most);
  Result<std::vector<TicketRow>> TicketsUnder(std::int64_t kek_version, std::string_view after, std::int64_t most);
  Result<std::int64_t> CountOpenTickets();
  Result<bool> TicketsOverdue(base::Micros now);
  Result<void> InsertTicket(const TicketRow& row);
  // UpdateTicketWrap writes the wrap where KEK_VERSION is still `expected`, EndTicket moves an OPEN one and erases its private key;
  // kConflict where it is no longer so.
  Result<void> UpdateTicketWrap(const TicketRow& row, std::int64_t expected);
  Result<void> EndTicket(std::string_view ticket_id, std::string_view to, std::string_view key_ref, base::Micros now);
  // ExpireTickets erases the private keys of all whose time is over, and says how many; DropTickets takes away rows that ended long ago.
  Result<std::int64_t> ExpireTickets(base::Micros now);
  Result<void> DropTickets(base::Micros changed_before);
  // EachTicketEnd hands over the records, of any node's log, of a customer's tickets that were used or cancelled, and of the customer's offboarding.
  Result<void> EachTicketEnd(std::string_view customer, base::Micros since, const audit::TakeEntry& take);

  // ListAbout is a page of this node's log by AT and SEQ, from `page.since` on and behind (after_at, after_seq): the records whose column names the key,
  // or with an empty `key_ref` all that are not the record of a resolve or a report.
  Result<std::vector<LogRow>> ListAbout(std::string_view key_ref, const LogPage& page);
  // StopRecords is a page of the records, of any node's log, of acts that may stop a key and were done: from the newest, or behind the one that a
  // page before ended with, back to `since`; at most `most`.
  Result<std::vector<StopRecord>> StopRecords(base::Micros since, const StopRecord* after, std::int64_t most);
  // NewestTime is what this node's newest record says of its time; nullopt where there is none that can be read.
  Result<std::optional<base::Micros>> NewestTime();
  // KeysOnTrail is the KEY_REFs of a customer's that the trail, of any node and as far back as it goes, names; among them may be some that never were.
  Result<std::vector<std::string>> KeysOnTrail(std::string_view customer);
  // ProofTree is the log's tree at `size`; HeldFrom when its oldest record is of that was not pruned, 0 where none was.
  audit::EdgedTree ProofTree(audit::TreeEdge& edge, std::int64_t size) { return {database_, edge, size}; }
  Result<base::Micros> HeldFrom();

  // DataVersion is sql::Database's.
  Result<std::int64_t> DataVersion() { return database_.DataVersion(); }

  // The vault itself. FindVault is kCorrupt where there is not exactly one row.
  Result<VaultRow> FindVault();
  Result<void> InsertVault(const VaultRow& row);
  // LockVault makes the acts of all nodes follow one another: until this transaction ends no other gets past it. (On SQLite
  // each writing transaction is alone as it is.)
  Result<void> LockVault();
  // MoveEpoch adds one, and returns the new epoch; it is above `past` then.
  Result<std::int64_t> MoveEpoch(std::int64_t past = 0);
  Result<std::vector<KekRow>> ListKeks();
  Result<void> InsertKek(const KekRow& row);
  // MoveKek sets STATUS where it was `from`; kConflict where it was not.
  Result<void> MoveKek(std::int64_t version, std::string_view from, std::string_view to, base::Micros now);
  Result<std::optional<WrappedSecret>> FindSecret(std::string_view name);
  Result<void> InsertSecret(std::string_view name, const WrappedSecret& secret);
  Result<std::vector<std::string>> ListSecrets();
  // UpdateSecret writes a new wrap where the old one is still under KEK `expected`; kConflict where it is not.
  Result<void> UpdateSecret(std::string_view name, const WrappedSecret& secret, std::int64_t expected);
  // EraseSecret is kConflict where there is none of that name.
  Result<void> EraseSecret(std::string_view name);
  // TrailPublicKey is what a node's log is signed with: where nodes share a database its own, once it has said so, else that of all.
  // kCorrupt where what it said is no key.
  Result<Bytes> TrailPublicKey(std::string_view node);
  // PutTrailPublicKey says what every log is signed with that has no key of its own.
  Result<void> PutTrailPublicKey(ByteView public_key);
  // SigningKeyRotations is what this node's log tells of them.
  Result<std::vector<audit::Rotation>> SigningKeyRotations() { return audit::RotationsOf(database_); }
  // Recovery sets by number, and the KEKs sealed to one of them, by version. EraseSealedKeks takes away those of every other
  // set, EraseSealedKek those of one version.
  Result<std::vector<RecoverySetRow>> ListRecoverySets();
  // HadRecoverySet is whether the trail, of any node, saw a set come into force.
  Result<bool> HadRecoverySet();
  Result<void> InsertRecoverySet(const RecoverySetRow& row);
  Result<std::vector<SealedKekRow>> ListSealedKeks(std::int64_t set_number);
  Result<void> InsertSealedKek(const SealedKekRow& row);
  Result<void> EraseSealedKeks(std::int64_t but_of_set);
  Result<void> EraseSealedKek(std::int64_t kek_version);
  // FirstRecord is the bytes of record 0 of this node's log.
  Result<std::optional<std::string>> FirstRecord();
  // NewestRecord is the number of its last.
  Result<std::int64_t> NewestRecord();

  // Nodes, by their ids.
  Result<std::vector<NodeRow>> ListNodes();
  Result<void> InsertNode(const NodeRow& row);
  // MoveNode sets STATUS where it was `from`; kConflict where it was not.
  Result<void> MoveNode(std::string_view node, std::string_view from, std::string_view to);
  // NoteKek says that a node holds a KEK version; NodesWithout is the members that have not said so.
  Result<void> NoteKek(std::string_view node, std::int64_t version);
  Result<std::vector<std::string>> NodesWithout(std::int64_t version);
  Result<std::map<std::string, std::vector<std::int64_t>>> ListNodeKeks();
  // ForgetNodeKeks unsays whatever NoteKek has said of a node.
  Result<void> ForgetNodeKeks(std::string_view node);
  // EachRemoval hands over the records, of any node's log, of nodes that were removed.
  Result<void> EachRemoval(const audit::TakeEntry& take);
  // The nodes' keys, and what is sealed to them. PutNodeKey and PutKekForNode replace a row that is there.
  Result<std::optional<NodeKeyRow>> FindNodeKey(std::string_view node);
  Result<void> PutNodeKey(const NodeKeyRow& row);
  Result<void> EraseNodeKey(std::string_view node);
  // ListKeksForNode is those of one node, by version; of all where `node` is empty.
  Result<std::vector<KekForNodeRow>> ListKeksForNode(std::string_view node);
  Result<void> PutKekForNode(const KekForNodeRow& row);
  // EraseKeksFor takes away all that is sealed to one node, EraseKekForNodes what of one version is sealed to any.
  Result<void> EraseKeksFor(std::string_view node);
  Result<void> EraseKekForNodes(std::int64_t version);
  // MembersWithoutSecret counts the members that have no secret named `prefix` and their own name.
  Result<std::int64_t> MembersWithoutSecret(std::string_view prefix);
  // PutVerifierKey has the other nodes know what this node's log is signed with.
  Result<void> PutVerifierKey(std::string_view node, std::string_view verifier_key);
  // Leases (PostgreSQL: vault/lease.h). Each is false where the row is no longer as stated, or the vault's epoch is another
  // one than `epoch`; an act of another node that is under way is waited for. TakeLease is for a new `boot`.
  Result<bool> TakeLease(const NodeRow& before, std::string_view boot, std::int64_t epoch, base::Micros now);
  Result<bool> RenewLease(std::string_view node, std::string_view boot, std::int64_t epoch, base::Micros now);
  Result<void> LeaveLease(std::string_view node, std::string_view boot);

  // Rates. CurrentRates is the newest row of each model and provider that is in force at `now`: by model and provider, at
  // most `most` after the one that `after` names.
  Result<std::vector<Rate>> CurrentRates(base::Micros now, const RatesRequest& after = {}, std::int64_t most = INT64_MAX);
  Result<void> InsertRate(const Rate& rate);

  // Approvals. FindApprovalOf is an author's newest of an act that is not over and not used. UpdateApproval writes STATUS
  // and who decided, where STATUS is still `from`; kConflict where it is not.
  Result<std::optional<ApprovalRow>> FindApproval(std::string_view approval_id);
  Result<std::optional<ApprovalRow>> FindApprovalOf(ByteView digest, std::int64_t author_uid, base::Micros now);
  Result<std::vector<ApprovalRow>> ListApprovals(std::int64_t most);
  Result<std::vector<ApprovalRow>> OverdueApprovals(base::Micros now);
  Result<std::int64_t> CountOpenApprovals(base::Micros now);
  Result<void> InsertApproval(const ApprovalRow& row);
  Result<void> UpdateApproval(const ApprovalRow& row, std::string_view from);
  Result<void> DropApprovals(base::Micros expired_before);
  Result<std::optional<SwitchRow>> FindSwitch();
  Result<void> PutSwitch(const SwitchRow& row);
  // EachAct hands over the records since then of acts of this name that were done; not for resolve.
  Result<void> EachAct(std::string_view action, base::Micros since, const audit::TakeEntry& take);

 private:
  sql::Database& database_;
};

}  // namespace strongroom::vault
