// Operations: the one table of everything vaultd can be asked, and the two kinds of handlers behind it.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "audit/job.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "vault/approval.h"
#include "vault/open_vault.h"
#include "vault/protocol.h"
#include "vault/secret.h"
#include "vault/service.h"
#include "vault/store.h"

namespace strongroom::vault {

// Refuse makes the error half of any Result: `return Refuse(Refusal::kKeyUnknown);`
inline std::unexpected<Error> Refuse(Refusal refusal) { return std::unexpected(RefusalError(refusal)); }
// AsRefusal is the refusal that stands for any error of ours: its own, or that of the part that failed.
Refusal AsRefusal(const Error& error);

// Act is one request that is decided on the trail writer's thread, inside the transaction that holds its record. An
// error from Decide is a refusal: what the act had changed is undone, and the record says why. Decide fills in the
// record as it learns (customer, key_ref, purpose, before, after), so that a refusal names what it was about.
class Act {
 public:
  virtual ~Act() = default;
  // Prepare is called first, on the anteroom's thread, for Runs::kCeremony and RunOwnCeremony alone: it may take a second, and must not touch
  // what the writer's thread has. Decide answers for what it found.
  virtual void Prepare() {}
  virtual Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) = 0;
  // Effect is what a successful act does outside the database; its record is durable by then, and its error is answered.
  virtual Result<void> Effect() { return {}; }
  // Answer is called once, after the record of the last successful Decide is durable and Effect has succeeded. It may keep the
  // receipt's record.
  virtual Reply Answer(audit::Receipt& receipt) = 0;
  // Undo takes back what a Decide kept in memory: it was refused after all, or its record is not durable: then others may have
  // decided meanwhile, and where the disk hangs it is called on the thread that found out. Also where Decide has not run.
  virtual void Undo() {}
  // GoesOn is asked behind Effect: true for an act that is so long that others have to come in between. It is then decided
  // again, in another transaction and with another record, and answered when it is done.
  virtual bool GoesOn() { return false; }
  // fenced: it is answered once no vaultd releases what it stopped, with a StoppedAnswer in place of Answer's.
  virtual bool fenced() const { return false; }
  // new_epoch is set by a Decide that moved the epoch, and stops by one that also stopped keys.
  std::optional<std::int64_t> new_epoch;
  std::vector<Stop> stops;
  // two_people is set, beside new_epoch, by the act that turned the demand for two people on or off.
  std::optional<bool> two_people;
};

// A fact is answered at once, from the read connection, on the thread that calls Service::Handle.
using FactHandler = Result<Bytes> (*)(OpenVault& vault, Store& store, ByteView body);
// An act handler only decodes; an error is kMalformed.
using ActHandler = Result<std::unique_ptr<Act>> (*)(OpenVault& vault, ByteView body,
                                                    std::optional<SecretValue> secret);

enum class Runs : std::uint8_t {
  kGrouped,  // reads only: shares a transaction with others
  kAlone,    // writes rows: has a transaction of its own
  kCeremony, // kAlone, and prepared in the anteroom, one at a time
};

enum class Carries : std::uint8_t { kNoKey, kKey, kMayKey };

// OperationRow: `action` is the name in the trail. Facts are recorded only where they are refused.
struct OperationRow {
  Operation operation;
  std::string_view action;
  std::uint8_t roles;
  bool while_sealed;
  Carries carries;
  Runs runs;
  std::variant<FactHandler, ActHandler> handler;
  TwoPeople two_people = nullptr;  // which of these need a second person; nullptr: none. Not of kGrouped
  bool while_older = false;        // also on a database that is not the newest, or whose trail is not its anchor's
};

// FindOperation is nullptr for a number that is not in the table: denied.
const OperationRow* FindOperation(std::uint8_t number);
std::span<const OperationRow> Operations();

// The handlers: json_facts.cpp, status_facts.cpp, worker_facts.cpp, resolve.cpp, key_intake.cpp, key_acts.cpp, profile_acts.cpp,
// kek_acts.cpp, rewrap.cpp, seal_acts.cpp, protector_acts.cpp, recovery_acts.cpp, approval_acts.cpp,
// node_acts.cpp, trail_acts.cpp, trail_rotation.cpp, report_acts.cpp, rollback_act.cpp, offboard_act.cpp,
// ticket_acts.cpp, ticket_accept.cpp, account_limit.cpp, quota_acts.cpp, key_trail.cpp.
Result<Bytes> Status(OpenVault& vault, Store& store, ByteView body);
Result<Bytes> KekStatus(OpenVault& vault, Store& store, ByteView body);
Result<Bytes> ListNodes(OpenVault& vault, Store& store, ByteView body);
Result<Bytes> GetProfile(OpenVault& vault, Store& store, ByteView body);
Result<Bytes> GetRates(OpenVault& vault, Store& store, ByteView body);
Result<Bytes> ListKeys(OpenVault& vault, Store& store, ByteView body);
Result<Bytes> ShowKey(OpenVault& vault, Store& store, ByteView body);
Result<Bytes> ListProfiles(OpenVault& vault, Store& store, ByteView body);
Result<Bytes> ShowProfile(OpenVault& vault, Store& store, ByteView body);
Result<Bytes> ListApprovals(OpenVault& vault, Store& store, ByteView body);
Result<Bytes> ListTickets(OpenVault& vault, Store& store, ByteView body);

using MadeAct = Result<std::unique_ptr<Act>>;
MadeAct MakeResolve(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeProbe(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeAddKey(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeActivateKey(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeRotateKey(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeMoveKey(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeSetProfile(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeMoveProfile(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeSetRate(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakePrepareKek(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeActivateKek(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeRewrapKeys(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeRetireKek(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeDestroyKek(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeSeal(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeUnseal(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakePutRecovery(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeNoteRecovery(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeSignCheckpoint(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeReportCall(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeProbeSuspect(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeReportProbe(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeResumeNoticed(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeRollBackKey(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeOffboard(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeLimitKey(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeReportQuota(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeNewOrigin(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeRotateSigningKey(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeReadKeyTrail(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeNoteRead(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeFinishRestore(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeAddProtector(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeRemoveProtector(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeUnsealWith(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeProposeAct(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeApproveAct(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeDenyAct(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeIssueTicket(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeShowTicket(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeAcceptTicket(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeCancelTicket(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeRequireTwoPeople(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);

// RunOwnCeremony has an act of vaultd's own prepared in the anteroom, decided, and recorded as any other; false, and `done` is
// not called, where somebody is in there. `done` is called once, on the writer's thread or, where the trail does not take the
// act, on the anteroom's.
bool RunOwnCeremony(OpenVault& vault, std::string_view action, std::unique_ptr<Act> act, Done done);
// RunOwn is the same without a preparation. `done` is called once, on the writer's thread or, where the trail does not take the act, on
// the caller's.
void RunOwn(OpenVault& vault, std::string_view action, std::unique_ptr<Act> act, Done done);

// Which acts need two people: key_acts.cpp, protector_acts.cpp, approval_acts.cpp, trail_acts.cpp, trail_rotation.cpp.
std::optional<SensitiveAct> EndsOrResumesKey(ByteView body);
std::optional<SensitiveAct> RemovesProtector(ByteView body);
std::optional<SensitiveAct> LeavesTwoPeople(ByteView body);
std::optional<SensitiveAct> BeginsNewOrigin(ByteView body);
std::optional<SensitiveAct> RotatesSigningKey(ByteView body);
MadeAct MakeConfirmNode(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);
MadeAct MakeRemoveNode(OpenVault& vault, ByteView body, std::optional<SecretValue> secret);

}  // namespace strongroom::vault
