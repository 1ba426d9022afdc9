// The language spoken on vaultd's socket: frames, operations, and the fields of each. vault/PROTOCOL.md is the text.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "vault/refusal.h"

namespace strongroom::vault {

// A frame is a 16-byte header, a body of fields, and at most one secret, which follows the body as raw bytes and is
// read straight into a SecretValue:
//   u32 body length · u16 secret length · u8 protocol version (1) · u8 kind · u64 call
struct FrameHeader {
  std::uint32_t body_length = 0;
  std::uint16_t secret_length = 0;
  std::uint8_t kind = 0;  // in a request the operation; in an answer 0 = done, 1 = refused, 2 = epoch notice
  std::uint64_t call = 0;
};
inline constexpr std::size_t kFrameHeaderBytes = 16;
inline constexpr std::uint8_t kProtocolVersion = 1;
inline constexpr std::uint32_t kMostBodyBytes = 1 << 20;
// A request's body is far smaller than an answer's may be: its longest field is a 4,000-byte system prompt.
inline constexpr std::uint32_t kMostRequestBytes = 64 << 10;
// The longest secret a frame may carry; SecretValue holds no more.
inline constexpr std::uint16_t kMostSecretBytes = 2048;
inline constexpr std::uint8_t kAnswerDone = 0, kAnswerRefused = 1, kAnswerEpoch = 2;

std::array<std::uint8_t, kFrameHeaderBytes> EncodeHeader(const FrameHeader& header);
// DecodeHeader is kCorrupt on another version or a length over its limit. It takes exactly kFrameHeaderBytes.
Result<FrameHeader> DecodeHeader(ByteView bytes);

// Operation numbers are fixed for good; a new one gets a new number.
enum class Operation : std::uint8_t {
  kStatus = 1,
  kGetProfile = 2,
  kGetRates = 3,
  kResolve = 4,
  kProbe = 5,         // admin: open a PENDING key (10 times at most), or an ACTIVE one, for `worker --probe`
  kListKeys = 10,
  kShowKey = 11,
  kAddKey = 12,       // admin, carries the key: a new PENDING version
  kActivateKey = 13,  // PENDING → ACTIVE, and the profile in the same transaction
  kRotateKey = 14,    // new version ACTIVE, old ROTATED, profiles repointed
  kMoveKey = 15,      // revoke, suspend, resume, compromise, destroy
  kListProfiles = 20,
  kShowProfile = 21,
  kSetProfile = 22,
  kMoveProfile = 23,  // suspend, resume, terminate
  kSetRate = 24,
  kKekStatus = 30,
  kPrepareKek = 31,   // a new KEK version, PREPARED; carries the PIN of a token that protects it, if any
  kActivateKek = 32,  // PREPARED → ACTIVE, the one before RETIRING, the vault's own keys under the new one
  kRewrapKeys = 33,   // some chunks of keys from a RETIRING version to the ACTIVE one
  kRetireKek = 34,    // RETIRING → RETIRED, where nothing is left under it
  kDestroyKek = 35,   // RETIRED → DESTROYED, and its file erased
  kSeal = 36,         // no KEK in memory from then on
  kUnseal = 37,       // the KEKs again, from the protectors that open by themselves
  kAddProtector = 40,     // every KEK version under one more protector; carries the passphrase or PIN, if any
  kRemoveProtector = 41,  // carries what another protector opens with, where that does not open by itself
  kUnsealWith = 42,       // Unseal, and carries the passphrase or PIN
  kPutRecovery = 50,   // a recovery key in force: every KEK sealed to it, the set before erased
  kNoteRecovery = 51,  // the trail is told what a ceremony beside vaultd did
  kFinishRestore = 52,  // a home that was put back from a backup releases keys again
  kProposeAct = 60,   // an act that needs two people, by its author
  kApproveAct = 61,
  kDenyAct = 62,
  kListApprovals = 63,
  kRequireTwoPeople = 64,  // on or off
  kListNodes = 70,
  kConfirmNode = 71,  // JOINING → MEMBER, and every KEK on its way to it
  kRemoveNode = 72,   // MEMBER → REMOVED
  kSignCheckpoint = 80,  // the trail's newest head, signed
  kNoteRead = 81,        // the trail is told who reads it, and what
  kNewOrigin = 82,       // a database that is not its anchor's is taken as it is, under a new name of the log
  kRotateSigningKey = 83,  // the trail is signed by another key from here on
  kReadKeyTrail = 84,    // what the trail has about one key (vault/key_trail.h)
  kReportCall = 90,     // worker: a provider refused a key, or took one that is watched
  kProbeSuspect = 91,   // worker: open the key that a report was answered to probe
  kReportProbe = 92,    // worker: what came of it; a key that was refused is SUSPENDED
  kResumeNoticed = 93,  // admin: ACTIVE again, after a test
  kIssueTicket = 100,   // a ticket for a customer to seal a key to (vault/ticket_protocol.h)
  kListTickets = 101,
  kShowTicket = 102,    // an OPEN ticket's file once more
  kAcceptTicket = 103,  // a key that was sealed to one: PENDING, and the ticket USED
  kCancelTicket = 104,
  kRollBackKey = 110,   // ROTATED → ACTIVE within its grace, what took its place SUSPENDED, profiles back
  kOffboard = 111,      // every profile of a customer TERMINATED, every key REVOKED
  kLimitKey = 120,      // what the account of a house key takes a minute
  kReportQuota = 121,   // worker: a profile has spent its month's tokens; it is OVER_QUOTA then
};

// A body that is one i64: an epoch notice (the epoch), the answer to PrepareKek (the version).
Bytes EncodeNumber(std::int64_t number);
Result<std::int64_t> DecodeNumber(ByteView body);

// --- Requests and answers. Each has Encode and Decode; Decode is kCorrupt unless the fields are exactly these, text
// is UTF-8 without a zero byte, and every flag is 0 or 1. ---

// ResolveRequest: `attempt` is the number of this ask, 1 to kMostAttempts; a key is released for each number once.
struct ResolveRequest {
  std::string request_id;
  std::int64_t attempt = 1;
  std::string customer;
  std::string profile_ref;
  Bytes Encode() const;
  static Result<ResolveRequest> Decode(ByteView body);
};
// ResolveAnswer comes with the key as the frame's secret. `seq` is the record that stands for the release, `trail_size` the number of
// records under the newest checkpoint by then: who keeps them has a receipt that a shorter trail cannot explain.
struct ResolveAnswer {
  std::string origin;
  std::string key_ref;
  std::int64_t epoch = 0;
  std::int64_t seq = 0;
  std::int64_t trail_size = 0;
  bool watched = false;  // providers refused it a moment ago: that one takes it is worth a ReportCall
  Bytes Encode() const;
  static Result<ResolveAnswer> Decode(ByteView body);
};

// ProfileAnswer is AI_PROFILE as the worker needs it; its MAC has been verified.
struct ProfileAnswer {
  std::string profile_ref, customer, mode, provider, model, endpoint, status;
  std::optional<std::string> key_ref, system_prompt, models_allowed, api_version;
  std::int64_t default_max_tokens = 1024;
  std::optional<std::int64_t> default_temp_tenths, rpm, tpm, quota;
  std::int64_t epoch = 0;
  bool key_noticed = false;  // its key is SUSPENDED because its provider refused it (vault/notice.h)
  std::optional<base::Micros> over_quota_until;  // when an OVER_QUOTA one comes back by itself
  Bytes Encode() const;
  static Result<ProfileAnswer> Decode(ByteView body);
};

// Rate is one row of RATE_CARD; money is millionths of a dollar per million tokens.
struct Rate {
  std::string model, provider;
  std::int64_t input_micro_usd = 0, output_micro_usd = 0;
  base::Micros effective_from = 0;
};
// RatesRequest names the rate that the page before ended with; both are empty for the first.
struct RatesRequest {
  std::string after_model, after_provider;
  Bytes Encode() const;
  static Result<RatesRequest> Decode(ByteView body);
};
// RatesAnswer is one page of the rates in force, by model and provider. `more` is true where others follow its last.
struct RatesAnswer {
  std::int64_t epoch = 0;
  std::vector<Rate> rates;
  bool more = false;
  Bytes Encode() const;
  static Result<RatesAnswer> Decode(ByteView body);
};

// AddKeyRequest comes with the key as the frame's secret. The answer's body is one text field, the new KEY_REF.
// Where `like` is set, customer, provider, label, ORIGIN and HOSTED are those of that key (rotation).
struct AddKeyRequest {
  std::string customer, provider, label, endpoint, reason;
  bool hosted = false;
  std::string like;
  Bytes Encode() const;
  static Result<AddKeyRequest> Decode(ByteView body);
};

// ProfileFields is what an admin may set; absent fields keep their value (or take the default in a new profile).
struct ProfileFields {
  std::string profile_ref;
  std::optional<std::string> customer, profile_name, mode, provider, model, endpoint, key_ref, system_prompt,
      models_allowed, api_version, notes;
  std::optional<std::int64_t> default_max_tokens, default_temp_tenths, rpm, tpm, quota;
};

// ActivateKeyRequest makes a PENDING key ACTIVE and creates or repoints the profile, in one transaction. An empty
// key_ref makes a profile without a new key: a provider that needs none, or a hosted key in fields.key_ref.
struct ActivateKeyRequest {
  std::string key_ref, reason;
  bool probed = false;
  std::optional<ProfileFields> profile;
  Bytes Encode() const;
  static Result<ActivateKeyRequest> Decode(ByteView body);
};

// RotateKeyRequest: new_key_ref PENDING → ACTIVE, old_key_ref ACTIVE → ROTATED until now + grace, and every profile
// of the old one repointed.
struct RotateKeyRequest {
  std::string old_key_ref, new_key_ref, reason;
  base::Micros grace = 0;
  bool probed = false;
  Bytes Encode() const;
  static Result<RotateKeyRequest> Decode(ByteView body);
};

// MoveRequest is revoke, suspend, resume, compromise of a key; suspend, resume, terminate of a profile; rollback of a rotated key;
// offboard of a customer.
struct MoveRequest {
  std::string ref, move, reason;
  Bytes Encode() const;
  static Result<MoveRequest> Decode(ByteView body);
};

struct SetProfileRequest {
  ProfileFields fields;
  std::string reason;
  Bytes Encode() const;
  static Result<SetProfileRequest> Decode(ByteView body);
};

struct SetRateRequest {
  Rate rate;
  std::string reason;
  Bytes Encode() const;
  static Result<SetRateRequest> Decode(ByteView body);
};

// KekRequest is prepare (version 0: vaultd numbers it), activate, retire, destroy of a KEK version. The answer to prepare
// is the new version.
struct KekRequest {
  std::int64_t version = 0;
  std::string reason;
  Bytes Encode() const;
  static Result<KekRequest> Decode(ByteView body);
};

// ProtectorRequest names a protector ("file", "passphrase", "credential", "pkcs11"): the one to add, to remove, or to unseal
// with. For remove, `with` is another one whose secret comes with the frame, to prove that it opens; empty where none comes.
struct ProtectorRequest {
  std::string protector, with, reason;
  Bytes Encode() const;
  static Result<ProtectorRequest> Decode(ByteView body);
};

// RewrapRequest asks for the next keys behind `after` (a KEY_REF, empty at first). `run` names the rotation that asks, so
// that two do not work at once.
struct RewrapRequest {
  std::string run, after, reason;
  Bytes Encode() const;
  static Result<RewrapRequest> Decode(ByteView body);
};
// RewrapAnswer: how many were rewrapped, how many did not open (and stay as they are) and the first of those, and where the
// next request begins; `next` is empty where this was the last.
struct RewrapAnswer {
  std::int64_t rewrapped = 0, unopened = 0;
  std::string first_unopened, next;
  Bytes Encode() const;
  static Result<RewrapAnswer> Decode(ByteView body);
};

// PutRecoveryRequest is the public half of a recovery key, what each share of its private half is known by (64 hexadecimal
// digits each, in the order of index), and the custodians' names, a line each. The answer is one text field, a JSON document.
struct PutRecoveryRequest {
  std::string public_key;
  std::int64_t threshold = 0;
  std::vector<std::string> digests;
  std::string custodians, reason;
  Bytes Encode() const;
  static Result<PutRecoveryRequest> Decode(ByteView body);
};

// NoteRecoveryRequest: `act` is "verified", "restored" or "backed_up"; of FinishRestore it is "finished". `facts` says of what, in
// words.
struct NoteRecoveryRequest {
  std::string act, facts, reason;
  Bytes Encode() const;
  static Result<NoteRecoveryRequest> Decode(ByteView body);
};

// ProposeRequest is a request that needs two people, for the second one: its operation's number, and its body in
// hexadecimal. The answer is one text field, a JSON object with approval, status, act and expires_at.
struct ProposeRequest {
  std::int64_t operation = 0;
  std::string body;
  Bytes Encode() const;
  static Result<ProposeRequest> Decode(ByteView body);
};
// VerdictRequest is ApproveAct and DenyAct. The answer is one text field, the act.
struct VerdictRequest {
  std::string approval_id, reason;
  Bytes Encode() const;
  static Result<VerdictRequest> Decode(ByteView body);
};
struct RequireRequest {
  bool on = false;
  std::string reason;
  Bytes Encode() const;
  static Result<RequireRequest> Decode(ByteView body);
};

// ReportCallRequest is the HTTP status of a provider's answer to a call with that key, and the customer and attempt that it was
// resolved for. ReportCallAnswer: whether this worker is to probe it, and how long it waits before it does.
struct ReportCallRequest {
  std::string key_ref, request_id;
  std::int64_t status = 0;
  std::string customer;
  std::int64_t attempt = 1;
  Bytes Encode() const;
  static Result<ReportCallRequest> Decode(ByteView body);
};
struct ReportCallAnswer {
  bool probe = false;
  std::int64_t wait_ms = 0;
  Bytes Encode() const;
  static Result<ReportCallAnswer> Decode(ByteView body);
};
// ReportProbeRequest: 0 where no answer came. ReportProbe is answered by a StoppedAnswer where the key was SUSPENDED, else by a
// ReportCallAnswer: the same worker may have to probe once more.
struct ReportProbeRequest {
  std::string key_ref;
  std::int64_t status = 0;
  Bytes Encode() const;
  static Result<ReportProbeRequest> Decode(ByteView body);
};

// LimitKeyRequest sets what the account of a house key takes a minute; absent numbers stay as they are, and 0 is no limit.
struct LimitKeyRequest {
  std::string key_ref;
  std::optional<std::int64_t> rpm, tpm;
  std::string reason;
  Bytes Encode() const;
  static Result<LimitKeyRequest> Decode(ByteView body);
};
// ReportQuotaRequest: so many tokens were counted for the profile since `month` began, with that request's.
struct ReportQuotaRequest {
  std::string profile_ref, request_id;
  base::Micros month = 0;
  std::int64_t tokens = 0;
  Bytes Encode() const;
  static Result<ReportQuotaRequest> Decode(ByteView body);
};

// StoppedAnswer: how long it took until no vaultd could release what the act has stopped, and the nodes that had not
// acknowledged it when their leases had certainly run out ("NODE_ID (HOST)").
struct StoppedAnswer {
  std::int64_t took = 0;
  std::vector<std::string> unheard;
  Bytes Encode() const;
  static Result<StoppedAnswer> Decode(ByteView body);
};

// NodeRequest names a node by its id. The answer to ListNodes is one text field, a JSON array.
struct NodeRequest {
  std::string node_id, reason;
  Bytes Encode() const;
  static Result<NodeRequest> Decode(ByteView body);
};

// ConfirmNodeRequest also has the check phrase that the node shows (vault/node_key.h).
struct ConfirmNodeRequest {
  std::string node_id, phrase, reason;
  Bytes Encode() const;
  static Result<ConfirmNodeRequest> Decode(ByteView body);
};

// ListRequest filters ListKeys and ListProfiles; empty means all. `after` is where the page before ended: its `next`,
// empty for the first.
struct ListRequest {
  std::string customer, status, after;
  Bytes Encode() const;
  static Result<ListRequest> Decode(ByteView body);
};
// ListAnswer is one page, in the order of KEY_REF or PROFILE_REF: each row a JSON object of public facts, never empty.
// `next` is empty where nothing follows. The answers to show, status and kek status requests are one text field, a JSON
// document.
struct ListAnswer {
  std::vector<std::string> rows;
  std::string next;
  Bytes Encode() const;
  static Result<ListAnswer> Decode(ByteView body);
};

// A request that names one thing (GetProfile, ShowKey, ShowProfile, Probe), and the reason of Seal and Unseal, is one text
// field; these are its codec.
Bytes EncodeText(std::string_view text);
Result<std::string> DecodeText(ByteView body);

// ProbeAnswer comes with the key as the frame's secret.
struct ProbeAnswer {
  std::string key_ref, provider, origin;
  std::int64_t seq = 0;
  Bytes Encode() const;
  static Result<ProbeAnswer> Decode(ByteView body);
};

}  // namespace strongroom::vault
