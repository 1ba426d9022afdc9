#include "vault/operations.h"

#include <array>

#include "base/log.h"

namespace strongroom::vault {
namespace {

constexpr std::uint8_t Bit(Role role) { return static_cast<std::uint8_t>(role); }
constexpr std::uint8_t kAdmin = Bit(Role::kAdmin);
constexpr std::uint8_t kWorker = Bit(Role::kWorker);
constexpr std::uint8_t kAuditor = Bit(Role::kAuditor);
constexpr std::uint8_t kAny = kAdmin | kWorker | kAuditor;

constexpr bool kWhileSealed = true, kUnsealed = false, kWhileOlder = true;
constexpr Carries kKey = Carries::kKey, kNoKey = Carries::kNoKey, kMayKey = Carries::kMayKey;

// The whole privileged surface. What is not here is denied.
constexpr std::array<OperationRow, 56> kOperations{{
    {Operation::kStatus, "status", kAny, kWhileSealed, kNoKey, Runs::kGrouped, &Status},
    {Operation::kGetProfile, "get_profile", kWorker | kAdmin, kUnsealed, kNoKey, Runs::kGrouped, &GetProfile},
    {Operation::kGetRates, "get_rates", kWorker | kAdmin, kWhileSealed, kNoKey, Runs::kGrouped, &GetRates},
    {Operation::kResolve, "resolve", kWorker, kUnsealed, kNoKey, Runs::kGrouped, &MakeResolve},
    {Operation::kProbe, "probe", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeProbe},
    {Operation::kListKeys, "list_keys", kAdmin | kAuditor, kWhileSealed, kNoKey, Runs::kGrouped, &ListKeys},
    {Operation::kShowKey, "show_key", kAdmin | kAuditor, kWhileSealed, kNoKey, Runs::kGrouped, &ShowKey},
    {Operation::kAddKey, "add_key", kAdmin, kUnsealed, kKey, Runs::kAlone, &MakeAddKey},
    {Operation::kActivateKey, "activate_key", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeActivateKey},
    {Operation::kRotateKey, "rotate_key", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeRotateKey},
    {Operation::kMoveKey, "move_key", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeMoveKey,
     &EndsOrResumesKey},
    {Operation::kListProfiles, "list_profiles", kAdmin | kAuditor, kWhileSealed, kNoKey, Runs::kGrouped,
     &ListProfiles},
    {Operation::kShowProfile, "show_profile", kAdmin | kAuditor, kWhileSealed, kNoKey, Runs::kGrouped, &ShowProfile},
    {Operation::kSetProfile, "set_profile", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeSetProfile},
    {Operation::kMoveProfile, "move_profile", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeMoveProfile},
    {Operation::kSetRate, "set_rate", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeSetRate},
    {Operation::kKekStatus, "kek_status", kAdmin | kAuditor, kWhileSealed, kNoKey, Runs::kGrouped, &KekStatus},
    {Operation::kPrepareKek, "prepare_kek", kAdmin, kUnsealed, kMayKey, Runs::kCeremony, &MakePrepareKek},
    {Operation::kActivateKek, "activate_kek", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeActivateKek},
    {Operation::kRewrapKeys, "rewrap_keys", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeRewrapKeys},
    {Operation::kRetireKek, "retire_kek", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeRetireKek},
    {Operation::kDestroyKek, "destroy_kek", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeDestroyKek},
    {Operation::kSeal, "seal", kAdmin, kWhileSealed, kNoKey, Runs::kAlone, &MakeSeal},
    {Operation::kUnseal, "unseal", kAdmin, kWhileSealed, kNoKey, Runs::kCeremony, &MakeUnseal},
    {Operation::kAddProtector, "add_protector", kAdmin, kUnsealed, kMayKey, Runs::kCeremony, &MakeAddProtector},
    {Operation::kRemoveProtector, "remove_protector", kAdmin, kUnsealed, kMayKey, Runs::kCeremony, &MakeRemoveProtector,
     &RemovesProtector},
    {Operation::kUnsealWith, "unseal", kAdmin, kWhileSealed, kKey, Runs::kCeremony, &MakeUnsealWith},
    {Operation::kListNodes, "list_nodes", kAdmin | kAuditor, kWhileSealed, kNoKey, Runs::kGrouped, &ListNodes},
    {Operation::kConfirmNode, "confirm_node", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeConfirmNode},
    {Operation::kRemoveNode, "remove_node", kAdmin, kWhileSealed, kNoKey, Runs::kAlone, &MakeRemoveNode},
    {Operation::kPutRecovery, "put_recovery", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakePutRecovery},
    {Operation::kNoteRecovery, "note_recovery", kAdmin, kWhileSealed, kNoKey, Runs::kGrouped, &MakeNoteRecovery},
    {Operation::kFinishRestore, "finish_restore", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeFinishRestore},
    {Operation::kProposeAct, "propose_act", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeProposeAct, nullptr, kWhileOlder},
    {Operation::kApproveAct, "approve_act", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeApproveAct, nullptr, kWhileOlder},
    {Operation::kDenyAct, "deny_act", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeDenyAct, nullptr, kWhileOlder},
    {Operation::kListApprovals, "list_approvals", kAdmin | kAuditor, kWhileSealed, kNoKey, Runs::kGrouped,
     &ListApprovals},
    {Operation::kRequireTwoPeople, "require_two_people", kAdmin, kUnsealed, kNoKey, Runs::kAlone,
     &MakeRequireTwoPeople, &LeavesTwoPeople},
    {Operation::kSignCheckpoint, "sign_checkpoint", kAdmin | kAuditor, kUnsealed, kNoKey, Runs::kGrouped, &MakeSignCheckpoint},
    {Operation::kNoteRead, "read_trail", kAdmin | kAuditor, kWhileSealed, kNoKey, Runs::kGrouped, &MakeNoteRead, nullptr,
     kWhileOlder},
    {Operation::kNewOrigin, "new_origin", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeNewOrigin, &BeginsNewOrigin, kWhileOlder},
    {Operation::kRotateSigningKey, "rotate_signing_key", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeRotateSigningKey,
     &RotatesSigningKey},
    {Operation::kReadKeyTrail, "read_key_trail", kAdmin | kAuditor, kWhileSealed, kNoKey, Runs::kGrouped, &MakeReadKeyTrail, nullptr,
     kWhileOlder},
    {Operation::kReportCall, "report_call", kWorker, kWhileSealed, kNoKey, Runs::kGrouped, &MakeReportCall},
    {Operation::kProbeSuspect, "probe_suspect", kWorker, kUnsealed, kNoKey, Runs::kGrouped, &MakeProbeSuspect},
    {Operation::kReportProbe, "report_probe", kWorker, kUnsealed, kNoKey, Runs::kAlone, &MakeReportProbe},
    {Operation::kResumeNoticed, "resume_noticed", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeResumeNoticed},
    {Operation::kIssueTicket, "issue_ticket", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeIssueTicket},
    {Operation::kListTickets, "list_tickets", kAdmin | kAuditor, kWhileSealed, kNoKey, Runs::kGrouped, &ListTickets},
    {Operation::kShowTicket, "show_ticket", kAdmin, kUnsealed, kNoKey, Runs::kGrouped, &MakeShowTicket},
    {Operation::kAcceptTicket, "accept_ticket", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeAcceptTicket},
    {Operation::kCancelTicket, "cancel_ticket", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeCancelTicket},
    {Operation::kRollBackKey, "rollback_key", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeRollBackKey},
    {Operation::kOffboard, "offboard", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeOffboard},
    {Operation::kLimitKey, "limit_key", kAdmin, kUnsealed, kNoKey, Runs::kAlone, &MakeLimitKey},
    {Operation::kReportQuota, "report_quota", kWorker, kUnsealed, kNoKey, Runs::kAlone, &MakeReportQuota},
}};

}  // namespace

std::span<const OperationRow> Operations() { return kOperations; }

const OperationRow* FindOperation(std::uint8_t number) {
  for (const OperationRow& row : kOperations) {
    if (static_cast<std::uint8_t>(row.operation) == number) return &row;
  }
  return nullptr;
}

Refusal AsRefusal(const Error& error) {
  if (error.refusal() != 0) return RefusalOf(error);
  switch (error.code()) {
    case Code::kConflict:
    case Code::kAlreadyExists:
      return Refusal::kConflict;
    case Code::kUnavailable:
    case Code::kCorrupt:
      base::LogError("vault_database_failed", error);
      return Refusal::kDatabaseUnavailable;
    case Code::kResourceExhausted:
      base::LogError("vault_resource_exhausted", error);
      return Refusal::kBusy;
    default:
      base::LogError("vault_internal", error);
      return Refusal::kInternal;
  }
}

}  // namespace strongroom::vault
