#include "audit/rotation.h"

#include <algorithm>
#include <utility>

#include "audit/entries.h"

namespace strongroom::audit {
namespace {

void TakeErased(const Entry& entry, const VerifierKey& before, const VerifierKey& after, std::vector<Rotation>& rotations) {
  const auto same = [&](const Rotation& one) { return one.before == before && one.after == after && !one.erased; };
  const auto found = std::find_if(rotations.begin(), rotations.end(), same);
  if (found == rotations.end()) return;
  found->erased = entry.place.seq;
  const auto note = entry.draft.after->find("checkpoint");
  if (note != entry.draft.after->end()) found->handover = note->second;
}

}  // namespace

std::optional<VerifierKey> KeyIn(const std::optional<Facts>& facts) {
  if (!facts) return std::nullopt;
  const auto named = facts->find("verifier_key");
  if (named == facts->end()) return std::nullopt;
  auto key = VerifierKey::Parse(named->second);
  if (!key || key->type != SignatureType::kEd25519) return std::nullopt;
  return std::move(*key);
}

void TakeRotation(const Entry& entry, std::vector<Rotation>& rotations) {
  const bool rotates = entry.draft.action == kRotateSigningKey, erases = entry.draft.action == kEraseSigningKey;
  if ((!rotates && !erases) || entry.draft.outcome != Outcome::kOk) return;
  auto before = KeyIn(entry.draft.before), after = KeyIn(entry.draft.after);
  if (!before || !after || before->name != after->name) return;
  if (erases) return TakeErased(entry, *before, *after, rotations);
  rotations.push_back({entry.place.seq, std::move(*before), std::move(*after), std::nullopt, {}});
}

Result<std::vector<Rotation>> RotationsOf(sql::Database& database) {
  std::vector<Rotation> rotations;
  TRY_ASSIGN(sql::Statement * rows,
             database.Query("SELECT RECORD FROM AUDIT_LOG WHERE ACTION <> 'resolve' AND "
                            "ACTION IN ('rotate_signing_key', 'erase_signing_key') ORDER BY SEQ"));
  TRY(EachEntry(*rows, [&rotations](const Entry& entry) { TakeRotation(entry, rotations); }));
  return rotations;
}

bool SignedByBoth(const Note& note, const Rotation& rotation) {
  return CheckSignature(note, rotation.before) == Signed::kYes && CheckSignature(note, rotation.after) == Signed::kYes;
}

KeyRange RangeOf(const VerifierKey& key, const std::vector<Rotation>& rotations) {
  KeyRange range{key};
  for (const Rotation& rotation : rotations) {
    if (rotation.after.public_key == key.public_key) range.from = rotation.seq + 1;
    if (rotation.before.public_key == key.public_key && rotation.erased) range.to = *rotation.erased;
  }
  return range;
}

}  // namespace strongroom::audit
