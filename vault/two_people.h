// Two people: which acts need a second one at present, and whether this act has one.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "vault/approval.h"
#include "vault/operations.h"

namespace strongroom::vault {

// TwoPeopleDemanded is whether acts that need two people are refused to one. The file of stops and the database's row
// each suffice for yes; no is believed with its MAC only (kApprovalTampered), or where nobody ever said yes.
Result<bool> TwoPeopleDemanded(const OpenVault& vault, Store& store);

// RefuseRoot: the uid that may put on any other is nobody's second person, nor has it one.
Result<void> RefuseRoot(std::int64_t uid);

// FindApproved is the approval under which `actor` may do the act of this digest now. It refuses with kTwoPeople where
// there is none, kApprovalDenied where the second person said no, kApprovalTampered, and kRootExcluded for uid 0.
Result<ApprovalRow> FindApproved(const OpenVault& vault, Store& store, const OperationRow& operation, ByteView digest,
                                 std::int64_t actor, base::Micros now);
// UseApproval marks it as used, and has the act's record say by whose leave it was done.
Result<void> UseApproval(const OpenVault& vault, Store& store, ApprovalRow row, audit::Draft& record);

}  // namespace strongroom::vault
