#include "vault/proofs.h"

#include <utility>

#include "vault/open_vault.h"

namespace strongroom::vault {

template <typename Proven>
std::shared_ptr<const Proven> Proofs::Shelf<Proven>::Find(const std::string& ref) const {
  const auto found = kept_.find(ref);
  return found == kept_.end() ? nullptr : found->second;
}

template <typename Proven>
void Proofs::Shelf<Proven>::Keep(const std::string& ref, std::shared_ptr<const Proven> proven) {
  if (!kept_.insert_or_assign(ref, std::move(proven)).second) return;
  order_.push(ref);
  if (order_.size() <= kMostRows) return;
  kept_.erase(order_.front());
  order_.pop();
}

Result<std::shared_ptr<const ProvenKey>> Proofs::OfKey(KeyRow row) {
  if (auto known = keys_.Find(row.key_ref); known && known->IsProofOf(vault_, row)) return known;
  TRY_ASSIGN(ProvenKey key, ProvenKey::Prove(vault_, std::move(row)));
  const auto proven = std::make_shared<const ProvenKey>(std::move(key));
  const KeyRow& kept = proven->row();
  if (kept.sealed.key.ciphertext.size() + kept.fingerprint.size() <= kMostFreeBytes) keys_.Keep(kept.key_ref, proven);
  return proven;
}

Result<std::shared_ptr<const ProvenProfile>> Proofs::OfProfile(BoundProfile row) {
  if (auto known = profiles_.Find(row.profile_ref); known && known->IsProofOf(vault_, row)) return known;
  TRY_ASSIGN(ProvenProfile profile, ProvenProfile::Prove(vault_, std::move(row)));
  const auto proven = std::make_shared<const ProvenProfile>(std::move(profile));
  const BoundProfile& kept = proven->row();
  if (kept.status.size() <= kMostFreeBytes) profiles_.Keep(kept.profile_ref, proven);
  return proven;
}

void Proofs::Forget() {
  keys_ = {};
  profiles_ = {};
}

}  // namespace strongroom::vault
