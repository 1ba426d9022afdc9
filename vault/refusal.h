// The refusals that cross vaultd's socket: one number each, with its name and its line in vault/refusal.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace strongroom::vault {

// Refusal is every reason vaultd can give, as a row of one table: the number crosses the socket, both ends hold the
// text. The number 0 is not used.
enum class Refusal : std::uint16_t {
  kMalformed = 1,
  kUnknownOperation,
  kNoRole,
  kSealed,
  kTrailUnavailable,
  kDatabaseUnavailable,
  kBusy,
  kProfileUnknown,
  kProfileNotActive,
  kProfileTampered,
  kProfileExists,
  kProfileNeedsKey,
  kKeyUnknown,
  kKeyTampered,
  kKeyNotYours,
  kKeyPending,
  kKeySuspended,
  kKeyRevoked,
  kKeyCompromised,
  kKeyDestroyed,
  kKeyGraceOver,
  kKeyMoveForbidden,
  kKeyProbeSpent,
  kKeyFormat,
  kKeyProviderMismatch,
  kOriginNotTls,
  kOriginMismatch,
  kReasonMissing,
  kFieldInvalid,
  kConflict,
  kKekMissing,
  kInternal,
  kAnswerTooLarge,
  kKekMoveForbidden,
  kKekInUse,
  kKekTooSoon,
  kKekFile,
  kRewrapUnderWay,
  kNotSealed,
  kUnsealFailed,
  kKeyNotStopped,
  kKeyTooSoon,
  kDatabaseOlder,
  kStopsUnavailable,
  kRecoveryTampered,
  kRecoveryMissing,
  kQuarantined,
  kNotQuarantined,
  kPassphraseWanted,
  kPassphraseWrong,
  kPassphraseShort,
  kProtectorExists,
  kProtectorMissing,
  kProtectorLast,
  kProtectorTampered,
  kProtectorUnfinished,
  kCredentialMissing,
  kKekOneFile,
  kAttemptSpent,
  kKeyCeiling,
  kUserCeiling,
  kTwoPeople,
  kTwoPeopleOff,
  kSingleUser,
  kRootExcluded,
  kApprovalUnknown,
  kApprovalOwn,
  kApprovalDenied,
  kApprovalClosed,
  kApprovalExpired,
  kApprovalTampered,
  kLeaseOver,
  kNodeUnknown,
  kNodeLacksKek,
  kPkcs11Module = 80,
  kTokenMissing,
  kPinWrong,
  kTokenKeyMissing,
  kTokenKeyExposed,
  kNodePhraseWrong = 85,
  kNodeKeyTampered,
  kNodeKekTampered,
  kTokenSilent,
  kNodeRemoved,
  kKekRetired = 90,
  kTrailSound,
  kSigningKeyRotating,
  kKeyNoticed = 100,
  kNoProbeOrdered,
  kKeyNotProbed,
  kCallUnknown,
  kProbeEarly,
  kKeyNotRotated = 110,
  kRollbackLate,
  kRollbackUnclear,
  kCustomerUnknown,
  kCustomerServes,
  kKeyUnused,
  kTicketUnknown = 120,
  kTicketUsed,
  kTicketCancelled,
  kTicketExpired,
  kTicketTampered,
  kTicketOfOthers,
  kTicketsFull,
  kOtherVault,
  kSealedKeyMalformed,
  kSealedKeyUnopened,
  kShareMissing = 140,
  kSharesOverLimit,
  kShareTampered,
  kKeyNotHosted,
  kProfileOverQuota,
  kQuotaNotSpent,
  kNotServed,
  kKeyLeaked,
};
// AllRefusals is every one there is, in the order of their numbers, which may have gaps.
std::span<const Refusal> AllRefusals();
// RefusalError is the Error both ends build from a refusal: its code and its one line.
Error RefusalError(Refusal refusal);
// RefusalName is the reason's stable name in the trail and in JSON ("KEY_REVOKED").
std::string_view RefusalName(Refusal refusal);
// RefusalOf reads the number back from an error; kInternal's own where the error has none.
Refusal RefusalOf(const Error& error);
// EncodeRefusal is the body of a refused answer: the number of RefusalOf(error). DecodeRefusal gives the error of that
// number; one this build does not know, or a body that is no number, is kInternal's.
Bytes EncodeRefusal(const Error& error);
Error DecodeRefusal(ByteView body);

}  // namespace strongroom::vault
