// Acts on keys that are in use: rotate, revoke, suspend, resume, compromise, destroy.
#include <array>
#include <algorithm>
#include <utility>

#include "vault/account_limit.h"
#include "vault/field_rules.h"
#include "vault/new_key.h"
#include "vault/notice.h"
#include "vault/operations.h"
#include "vault/proven_key.h"
#include "vault/replacement.h"
#include "vault/stop_unproven.h"

namespace strongroom::vault {
namespace {

constexpr base::Micros kMostGrace = 366 * base::kMicrosPerDay;

class RotateKey final : public Act {
 public:
  bool fenced() const override { return true; }
  RotateKey(OpenVault& vault, RotateKeyRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  Result<void> PutAside(Store& store, ProvenKey& old_key, base::Micros now);
  Result<void> CheckWanted(Store& store, const ProvenKey& old_key) const;

  OpenVault& vault_;
  const RotateKeyRequest request_;
};

bool SamePlace(const ProvenKey& a, const ProvenKey& b) {
  return a.row().customer == b.row().customer && a.row().provider == b.row().provider &&
         a.row().label == b.row().label && a.context().origin == b.context().origin &&
         a.context().hosted == b.context().hosted;
}

Result<void> RotateKey::Decide(Store& store, base::Micros now, audit::Draft& record) {
  record.key_ref = request_.new_key_ref;
  TRY(TakeReason(request_.reason, record));
  if (request_.grace < 0 || request_.grace > kMostGrace) return Refuse(Refusal::kFieldInvalid);
  TRY_ASSIGN(ProvenKey old_key, ProvenKey::Find(vault_, store, request_.old_key_ref));
  record.customer = old_key.row().customer;
  record.before = audit::Facts{{"key_ref", old_key.row().key_ref}, {"status", old_key.row().status}};
  TRY_ASSIGN(ProvenKey new_key, ProvenKey::Find(vault_, store, request_.new_key_ref));
  record.key_version = new_key.row().key_version;
  const auto active = NextState(new_key.state(), Move::kActivate);
  if (!active) return Refuse(Refusal::kKeyMoveForbidden);
  if (!SamePlace(old_key, new_key)) return Refuse(Refusal::kFieldInvalid);
  TRY(CheckNotLeaked(vault_, store, new_key.row()));
  TRY(CheckWanted(store, old_key));
  TRY(PutAside(store, old_key, now));
  TRY(new_key.Write(vault_, store, *active, std::nullopt, now));
  record.after.emplace();
  TRY(InheritLimit(vault_, store, new_key, *record.after));
  TRY_ASSIGN(const std::size_t profiles, RepointProfiles(vault_, store, request_.old_key_ref, request_.new_key_ref, now));
  TRY(CheckShares(vault_, store, request_.new_key_ref));
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  record.after->merge(audit::Facts{{"status", new_key.row().status},
                                   {"probed", request_.probed ? "yes" : "no"},
                                   {"old_status", old_key.row().status},
                                   {"profiles", std::to_string(profiles)}});
  if (old_key.state() == KeyState::kRotated) (*record.after)["grace_until"] = base::FormatTime(now + request_.grace);
  return {};
}

// Where a key was stopped for good, and no profile waits for another, its next version would be ACTIVE and used by nobody.
Result<void> RotateKey::CheckWanted(Store& store, const ProvenKey& old_key) const {
  if (old_key.state() != KeyState::kRevoked && old_key.state() != KeyState::kCompromised) return {};
  TRY_ASSIGN(const std::vector<ProfileRow> profiles, store.ProfilesOfKey(request_.old_key_ref));
  const bool wanted = std::ranges::any_of(profiles, [](const ProfileRow& profile) { return profile.status != "TERMINATED"; });
  return wanted ? Result<void>() : Refuse(Refusal::kKeyUnused);
}

// PutAside: an ACTIVE key goes on for its grace. One that was stopped has none: a SUSPENDED one is revoked, and what was stopped for good
// stays as it is.
Result<void> RotateKey::PutAside(Store& store, ProvenKey& old_key, base::Micros now) {
  if (old_key.state() == KeyState::kRevoked || old_key.state() == KeyState::kCompromised) return {};
  const bool suspended = old_key.state() == KeyState::kSuspended;
  const auto next = NextState(old_key.state(), suspended ? Move::kRevoke : Move::kRotate);
  if (!next) return Refuse(Refusal::kKeyMoveForbidden);
  const auto grace = suspended ? old_key.row().grace_until : std::optional(now + request_.grace);
  TRY(old_key.Write(vault_, store, *next, grace, now));
  stops.push_back({old_key.row().key_ref, old_key.row().row_version, *next});
  return {};
}

// KeyMove is one word of MoveRequest.move. `stops` marks the moves that must be possible whatever became of the row.
struct KeyMove {
  std::string_view word;
  Move move;
  KeyState to;
  bool stops;
};
constexpr std::array<KeyMove, 5> kMoves{{
    {"revoke", Move::kRevoke, KeyState::kRevoked, true},
    {"suspend", Move::kSuspend, KeyState::kSuspended, false},
    {"resume", Move::kResume, KeyState::kActive, false},
    {"compromise", Move::kCompromise, KeyState::kCompromised, true},
    {"destroy", Move::kDestroy, KeyState::kDestroyed, true},
}};

const KeyMove* FindMove(std::string_view word) {
  for (const KeyMove& row : kMoves) {
    if (row.word == word) return &row;
  }
  return nullptr;
}

class MoveKey final : public Act {
 public:
  bool fenced() const override { return true; }
  MoveKey(OpenVault& vault, MoveRequest request) : vault_(vault), request_(std::move(request)) {}
  Result<void> Decide(Store& store, base::Micros now, audit::Draft& record) override;
  Reply Answer(audit::Receipt&) override { return Reply(Bytes{}); }

 private:
  Result<std::int64_t> Move(Store& store, const KeyRow& row, const KeyMove& move, base::Micros now) const;

  OpenVault& vault_;
  const MoveRequest request_;
};

// Erase is destruction. It believes what the row states, proved or not: an erased DEK hurts nobody but its customer, and a
// row that was changed outside could otherwise never be got rid of. The payload stays: nothing opens it any more.
Result<std::int64_t> Erase(const OpenVault& vault, Store& store, KeyRow row, base::Micros now) {
  const auto stated = ParseState(row.status);
  if (!stated || !NextState(*stated, Move::kDestroy)) return Refuse(Refusal::kKeyNotStopped);
  if (*stated == KeyState::kRevoked && row.state_changed_at > now - kRevokedKept) return Refuse(Refusal::kKeyTooSoon);
  row.sealed.dek = {};
  TRY_ASSIGN(const std::optional<base::Micros> used, store.LastUsed(row.key_ref));
  if (used) row.last_used_at = used;
  return WriteUnwrapped(vault, store, std::move(row), KeyState::kDestroyed, now);
}

Result<std::int64_t> MoveKey::Move(Store& store, const KeyRow& row, const KeyMove& move, base::Micros now) const {
  TRY_ASSIGN(ProvenKey key, ProvenKey::Prove(vault_, row));
  if (move.to == KeyState::kDestroyed) return Erase(vault_, store, row, now);
  auto next = NextState(key.state(), move.move);
  if (!next && move.move == Move::kSuspend) {
    // What was suspended for its provider's refusal becomes an admin's decision: whoever resumes it undoes that.
    TRY_ASSIGN(const auto notice, FindNotice(vault_, store, key));
    if (notice) {
      TRY(store.EraseNotice(row.key_ref));
      next = key.state();
    }
  }
  if (!next) return Refuse(Refusal::kKeyMoveForbidden);
  TRY(key.Write(vault_, store, *next, key.row().grace_until, now));
  return key.row().row_version;
}

Result<void> MoveKey::Decide(Store& store, base::Micros now, audit::Draft& record) {
  record.key_ref = request_.ref;
  TRY(TakeReason(request_.reason, record));
  const KeyMove* move = FindMove(request_.move);
  if (move == nullptr) return Refuse(Refusal::kFieldInvalid);
  TRY_ASSIGN(std::optional<KeyRow> row, store.FindKey(request_.ref));
  record.after = audit::Facts{{"move", request_.move}, {"status", std::string(StateName(move->to))}};
  if (!row) {
    TRY_ASSIGN(const Stop stop, StopGone(vault_, store, request_.ref, move->to, record));
    stops.push_back(stop);
    TRY_ASSIGN(new_epoch, store.MoveEpoch());
    return {};
  }
  record.customer = row->customer;
  record.key_version = row->key_version;
  record.before = audit::Facts{{"status", row->status}};
  auto moved = Move(store, *row, *move, now);
  if (!moved) {
    if (!IsUnproven(moved.error()) || !move->stops) return std::unexpected(moved.error());
    (*record.after)["unproven"] = RefusalName(RefusalOf(moved.error()));
    const bool destroys = move->to == KeyState::kDestroyed;
    moved = destroys ? Erase(vault_, store, std::move(*row), now)
                     : StopUnproven(vault_, store, std::move(*row), move->to, now);
    if (!moved) return std::unexpected(moved.error());
  }
  if (IsStop(move->to)) stops.push_back({request_.ref, *moved, move->to});
  TRY_ASSIGN(new_epoch, store.MoveEpoch());
  return {};
}

}  // namespace

// A key is SUSPENDED by an admin only: to resume it is to undo what somebody had a reason for.
std::optional<SensitiveAct> EndsOrResumesKey(ByteView body) {
  auto request = MoveRequest::Decode(body);
  if (!request || (request->move != "destroy" && request->move != "resume")) return std::nullopt;
  return SensitiveAct{request->move + " " + request->ref, std::move(request->reason), {}};
}

MadeAct MakeRotateKey(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(RotateKeyRequest request, RotateKeyRequest::Decode(body));
  return std::make_unique<RotateKey>(vault, std::move(request));
}

MadeAct MakeMoveKey(OpenVault& vault, ByteView body, std::optional<SecretValue>) {
  TRY_ASSIGN(MoveRequest request, MoveRequest::Decode(body));
  return std::make_unique<MoveKey>(vault, std::move(request));
}

}  // namespace strongroom::vault
