#include "audit/claims.h"

#include <algorithm>
#include <utility>

namespace strongroom::audit {
namespace {

bool Trusts(const std::vector<Bytes>& trusted, const VerifierKey& key) {
  return std::find(trusted.begin(), trusted.end(), key.public_key) != trusted.end();
}

// HandsOver is true for a checkpoint of this trail that covers a rotation's record and is signed by both its keys. The root is what stops who
// adds a record and a signature of theirs to an old checkpoint.
bool HandsOver(const Note& note, const Checkpoint& checkpoint, const Rotation& rotation, const TreeCheck& tree) {
  if (checkpoint.origin != rotation.before.name || checkpoint.head.size <= rotation.seq || !SignedByBoth(note, rotation)) return false;
  const auto root = tree.RootAt(checkpoint.head.size);
  return root && *root == checkpoint.head.root;
}

bool IsHandedOver(const Rotation& rotation, const std::vector<Claim>& claims, const TreeCheck& tree) {
  const auto hands_over = [&](const Claim& claim) { return HandsOver(claim.note, claim.checkpoint, rotation, tree); };
  if (std::any_of(claims.begin(), claims.end(), hands_over)) return true;
  auto note = Note::Parse(rotation.handover);
  const auto quoted = note ? Claim::Of("", std::move(*note)) : Fail(note.error());
  return quoted && hands_over(*quoted);
}

// FindTrusted is the public keys that count for who trusts one: from that, rotation by rotation that both keys have signed, either way.
std::vector<Bytes> FindTrusted(const std::vector<Claim>& claims, const Trust& trust, const std::vector<Rotation>& rotations,
                               const TreeCheck& tree) {
  std::vector<Bytes> trusted{trust.public_key};
  // A key that is the database's own vouches for nothing that its records do not: the keys before it need no more either.
  const bool own = trust.name.empty();
  bool grown = true;
  while (std::exchange(grown, false)) {
    for (const Rotation& rotation : rotations) {
      const bool before = Trusts(trusted, rotation.before), after = Trusts(trusted, rotation.after);
      if (before == after || !((own && after) || IsHandedOver(rotation, claims, tree))) continue;
      trusted.push_back(before ? rotation.after.public_key : rotation.before.public_key);
      grown = true;
    }
  }
  return trusted;
}

// NamesKey is true where a log's records name a key (a home that was put back signs under another name with the same key).
bool NamesKey(const LogKeys& keys, const VerifierKey& key) {
  const auto is_named = [&](const NamedKey& one) { return one.key == key; };
  const auto is_rotated = [&](const Rotation& one) { return one.before == key || one.after == key; };
  return std::any_of(keys.named.begin(), keys.named.end(), is_named) || std::any_of(keys.rotations.begin(), keys.rotations.end(), is_rotated);
}

// Records that name nobody leave it to the caller, or to where the home's anchor is.
bool IsByCaller(const Claim& claim, const Trust& trust, const LogKeys& keys) {
  return keys.named.empty() && (trust.name == claim.checkpoint.origin || (trust.name.empty() && claim.own));
}

// FindKeys is the keys that count for a claim: those trusted that the log's own records name for its origin, at its size.
std::vector<VerifierKey> FindKeys(const Claim& claim, const Trust& trust, const std::vector<Bytes>& trusted, const LogKeys& keys) {
  const std::string& origin = claim.checkpoint.origin;
  std::vector<VerifierKey> found;
  for (const Bytes& public_key : trusted) {
    auto key = VerifierKey::Of(origin, SignatureType::kEd25519, public_key);
    if (!key || !(IsByCaller(claim, trust, keys) || NamesKey(keys, *key))) continue;
    const KeyRange range = RangeOf(*key, keys.rotations);
    const std::int64_t size = claim.checkpoint.head.size;
    if (size >= range.from && size <= range.to) found.push_back(std::move(*key));
  }
  return found;
}

ClaimState StateOf(const Claim& claim, const Trust& trust, const std::vector<Bytes>& trusted, const LogKeys& keys) {
  const auto names_it = [&](const NamedKey& one) { return one.key.name == claim.checkpoint.origin; };
  const bool is_ours = IsByCaller(claim, trust, keys) || std::any_of(keys.named.begin(), keys.named.end(), names_it);
  if (claim.own && claim.note.signatures.empty() && is_ours) return ClaimState::kUnsigned;
  bool forged = false;
  for (const VerifierKey& key : FindKeys(claim, trust, trusted, keys)) {
    const Signed state = CheckSignature(claim.note, key);
    if (state == Signed::kYes) return ClaimState::kValid;
    forged = forged || state == Signed::kForged;
  }
  if (forged) return ClaimState::kForged;
  return is_ours ? ClaimState::kNotSigned : ClaimState::kOtherLog;
}

std::optional<std::int64_t> EndOf(const std::string& origin, const std::vector<NamedKey>& named) {
  const auto names_it = [&](const NamedKey& one) { return one.key.name == origin; };
  const auto found = std::find_if(named.begin(), named.end(), names_it);
  if (found == named.end() || found + 1 == named.end()) return std::nullopt;
  return (found + 1)->seq;
}

std::string Called(const Finding& finding) {
  return finding.claim.from + " (" + std::to_string(finding.claim.checkpoint.head.size) + " records)";
}

std::optional<Fault> FindContradiction(const std::vector<Finding>& findings) {
  for (const Finding& a : findings) {
    for (const Finding& b : findings) {
      const Head &one = a.claim.checkpoint.head, &other = b.claim.checkpoint.head;
      if (!IsEvidence(a) || !IsEvidence(b) || one.size != other.size || one.root == other.root) continue;
      return Fault{0, "fork", "two checkpoints of " + std::to_string(one.size) + " records are of different trails: " + a.claim.from +
                                  " and " + b.claim.from};
    }
  }
  return std::nullopt;
}

// A log that was put back from a backup goes on under another name; what the one before wrote since is not in it.
std::optional<Fault> FindLost(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    if (!IsEvidence(finding) || finding.fits || !finding.ended_at || finding.claim.checkpoint.head.size <= *finding.ended_at) continue;
    return Fault{*finding.ended_at, "fork",
                 "here the log was put back from a backup (new_origin), and " + Called(finding) + " vouches for records of before that are not in it"};
  }
  return std::nullopt;
}

// FindFork names the first seq that may be another: behind the largest checkpoint that fits.
std::optional<Fault> FindFork(const std::vector<Finding>& findings) {
  const Finding* forked = nullptr;
  for (const Finding& finding : findings) {
    if (!IsEvidence(finding) || finding.beyond || finding.fits) continue;
    if (forked == nullptr || finding.claim.checkpoint.head.size < forked->claim.checkpoint.head.size) forked = &finding;
  }
  if (forked == nullptr) return FindContradiction(findings);
  const std::int64_t size = forked->claim.checkpoint.head.size;
  std::int64_t sound = 0;
  for (const Finding& finding : findings) {
    const std::int64_t other = finding.claim.checkpoint.head.size;
    if (IsEvidence(finding) && finding.fits && other < size) sound = std::max(sound, other);
  }
  return Fault{sound, "fork",
               "the records are sound among themselves, and not those of " + Called(*forked) + ": one of the seqs " +
                   std::to_string(sound) + " to " + std::to_string(std::max<std::int64_t>(size - 1, 0)) + " is the first that is another"};
}

std::optional<Fault> FindShort(const std::vector<Finding>& findings, std::int64_t records) {
  const Finding* longest = nullptr;
  for (const Finding& finding : findings) {
    if (!IsEvidence(finding) || !finding.beyond) continue;
    // The home's own tells more: its database is older than what is beside it.
    const auto weight = [](const Finding& one) { return std::pair(one.claim.own, one.claim.checkpoint.head.size); };
    if (longest == nullptr || weight(finding) > weight(*longest)) longest = &finding;
  }
  if (longest == nullptr) return std::nullopt;
  if (longest->claim.own) return Fault{records, "rollback", "the database is older than " + Called(*longest)};
  return Fault{records, "truncated", "the trail ends here, and " + Called(*longest) + " vouches for more"};
}

std::optional<Fault> FindBadSignature(const std::vector<Finding>& findings) {
  const std::int64_t vouched = VouchedBy(findings);
  for (const Finding& finding : findings) {
    if (finding.state == ClaimState::kForged) return Fault{vouched, "signature", "the signature of " + Called(finding) + " is forged"};
    if (finding.state == ClaimState::kNotSigned) {
      return Fault{vouched, "signature", Called(finding) + " is not signed by the key that counts"};
    }
    if (finding.state == ClaimState::kOtherLog) {
      return Fault{vouched, "signature", Called(finding) + " is of another log: " + finding.claim.checkpoint.origin};
    }
  }
  return std::nullopt;
}

}  // namespace

std::size_t CountWitnesses(const Note& note, const std::vector<VerifierKey>& witnesses) {
  std::vector<Bytes> seen;
  for (const VerifierKey& witness : witnesses) {
    if (CosignedAt(note, witness) && std::find(seen.begin(), seen.end(), witness.public_key) == seen.end()) {
      seen.push_back(witness.public_key);
    }
  }
  return seen.size();
}

std::int64_t VouchedBy(const std::vector<Finding>& findings) {
  std::int64_t vouched = 0;
  for (const Finding& finding : findings) {
    if (finding.state == ClaimState::kValid) vouched = std::max(vouched, finding.claim.checkpoint.head.size);
  }
  return vouched;
}

bool IsEvidence(const Finding& finding) { return finding.state == ClaimState::kValid || finding.state == ClaimState::kUnsigned; }

Result<std::vector<Finding>> Examine(const std::vector<Claim>& claims, const Question& question, const LogKeys& keys, const TreeCheck& tree) {
  const auto trusted = FindTrusted(claims, question.trust, keys.rotations, tree);
  std::vector<Finding> findings;
  for (const Claim& claim : claims) {
    Finding finding{claim, StateOf(claim, question.trust, trusted, keys), CountWitnesses(claim.note, question.witnesses)};
    const Head& head = claim.checkpoint.head;
    finding.ended_at = EndOf(claim.checkpoint.origin, keys.named);
    finding.beyond = head.size > tree.head().size;
    if (!finding.beyond) {
      const auto root = tree.RootAt(head.size);
      if (!root) return Fail(Code::kUnavailable, "the anchor was changed while the trail was read: run it again");
      finding.fits = *root == head.root;
    }
    findings.push_back(std::move(finding));
  }
  return findings;
}

std::optional<Fault> FaultOfClaims(const std::vector<Finding>& findings, std::int64_t records) {
  if (auto lost = FindLost(findings)) return lost;
  if (auto fork = FindFork(findings)) return fork;
  if (auto cut = FindShort(findings, records)) return cut;
  return FindBadSignature(findings);
}

}  // namespace strongroom::audit
