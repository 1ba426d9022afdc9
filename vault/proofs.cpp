#include "vault/proofs.h"

#include <utility>

#include "vault/open_vault.h"

namespace strongroom::vault {

template <typename Proven>
std::shared_ptr<const Proven> Proofs::Shelf<Proven>::Find(const std::string& ref) const {
  const auto found = kept_.find(ref);
  return found == kept_.end() ? nullptr : found->second.proven;
}

template <typename Proven>
std::shared_ptr<const Proven> Proofs::Shelf<Proven>::FindRead(const std::string& ref, std::uint64_t reading) const {
  const auto found = kept_.find(ref);
  return found == kept_.end() || found->second.reading != reading ? nullptr : found->second.proven;
}

template <typename Proven>
void Proofs::Shelf<Proven>::Keep(const std::string& ref, std::shared_ptr<const Proven> proven, std::uint64_t reading) {
  if (!kept_.insert_or_assign(ref, Kept{std::move(proven), reading}).second) return;
  order_.push(ref);
  if (order_.size() <= kMostRows) return;
  kept_.erase(order_.front());
  order_.pop();
}

void Proofs::Look(Store& store) {
  const auto version = store.DataVersion();
  if (version && *version != 0 && *version == data_version_) return;
  data_version_ = version.value_or(0);
  ++reading_;
}

std::shared_ptr<const ProvenKey> Proofs::UnchangedKey(const std::string& key_ref) const {
  auto known = keys_.FindRead(key_ref, reading_);
  return known && known->IsInForce(vault_) ? known : nullptr;
}

std::shared_ptr<const ProvenProfile> Proofs::UnchangedProfile(const std::string& profile_ref) const {
  auto known = profiles_.FindRead(profile_ref, reading_);
  return known && known->IsInForce(vault_) ? known : nullptr;
}

Result<std::shared_ptr<const ProvenKey>> Proofs::OfKey(KeyRow row) {
  auto proven = keys_.Find(row.key_ref);
  if (!proven || !proven->IsProofOf(vault_, row)) {
    TRY_ASSIGN(ProvenKey key, ProvenKey::Prove(vault_, std::move(row)));
    proven = std::make_shared<const ProvenKey>(std::move(key));
  }
  const KeyRow& kept = proven->row();
  if (kept.sealed.key.ciphertext.size() + kept.fingerprint.size() <= kMostFreeBytes) {
    keys_.Keep(kept.key_ref, proven, reading_);
  }
  return proven;
}

Result<std::shared_ptr<const ProvenProfile>> Proofs::OfProfile(BoundProfile row) {
  auto proven = profiles_.Find(row.profile_ref);
  if (!proven || !proven->IsProofOf(vault_, row)) {
    TRY_ASSIGN(ProvenProfile profile, ProvenProfile::Prove(vault_, std::move(row)));
    proven = std::make_shared<const ProvenProfile>(std::move(profile));
  }
  profiles_.Keep(proven->row().profile_ref, proven, reading_);
  return proven;
}

void Proofs::Forget() {
  keys_ = {};
  profiles_ = {};
}

}  // namespace strongroom::vault
