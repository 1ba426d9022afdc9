// Approval: an act that one admin has proposed and a second one allows. A row of APPROVAL is believed only with its MAC.
//
// What a row binds (vault/PROTOCOL.md, Approvals): the operation and its request, reason included, as a
// SHA-256; who proposed it and until when it holds; who decided, and what. A row as it was before, copied back, still has
// its MAC: so whether an approval was used is asked of the trail, whose chain shows a record that is taken out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "vault/protocol.h"
#include "vault/secret.h"
#include "vault/store.h"

namespace strongroom::vault {

inline constexpr base::Micros kApprovalHolds = base::kMicrosPerDay;
// How long a row is shown after it is over; the trail has it for good.
inline constexpr base::Micros kApprovalShown = 7 * base::kMicrosPerDay;

// Where an approval stands: PROPOSED → APPROVED → PERFORMED, or DENIED, or EXPIRED.
inline constexpr std::string_view kProposed = "PROPOSED", kApproved = "APPROVED", kDenied = "DENIED",
                                  kPerformed = "PERFORMED", kExpired = "EXPIRED";

// SensitiveAct is what an act that needs two people does, in words for the second one. `body` is what of the request is
// approved, where that is not all of it.
struct SensitiveAct {
  std::string act, reason;
  Bytes body;
  bool always = false;  // unless one user is everybody, not only where two people are demanded
};
// TwoPeople says of a request's body whether the act needs two people; nullopt where one is enough, or where the body is
// no such request. It is a column of the table of operations.
using TwoPeople = std::optional<SensitiveAct> (*)(ByteView body);

// ActDigest is SHA-256 over the operation's number and its body: one byte string is one request (PROTOCOL.md, Fields).
Bytes ActDigest(Operation operation, ByteView body);

// ApprovalMac is HMAC-SHA-256 over every column of the row but APPROVAL_MAC.
Result<Bytes> ApprovalMac(const MacKey& key, std::string_view vault_id, const ApprovalRow& row);
// VerifyApproval refuses with kApprovalTampered unless the row's MAC is its own.
Result<void> VerifyApproval(const MacKey& key, std::string_view vault_id, const ApprovalRow& row);

// The switch, whether two people are demanded, is a row of its own (TWO_PEOPLE).
Result<Bytes> SwitchMac(const MacKey& key, std::string_view vault_id, const SwitchRow& row);
Result<void> VerifySwitch(const MacKey& key, std::string_view vault_id, const SwitchRow& row);

}  // namespace strongroom::vault
