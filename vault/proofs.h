// Proofs: what was proved of rows before, so that a resolve need not prove the same bytes again.
//
// A hit is worth a proof, because:
// - The row is read from the database for each resolve, and compared whole; or it cannot have changed since it was read:
//   on this connection, with no commit by another one since (sql::Database::DataVersion) and no act of ours that may have
//   written. So an edit of any column, and an act, counts from the next resolve on: other bytes are proved from the start.
// - A proof is a function of the row, the vault's id, the KEK and the profiles' MAC key. The id never changes, and a hit
//   wants the very KEK or MAC key of the proof among the keys in force: none is a hit while the vault is sealed.
// - A failed proof cannot be remembered: what is kept is a ProvenKey or ProvenProfile, and only a proof makes those.
// - Nothing secret is kept but a share in the KEK and the MAC key, which Forget gives up. To open a key its DEK is
//   unwrapped and its commitment compared each time, as ever (vault::Open).
// - Comparing need not take constant time. It compares a row with what stood in the same row before, MAC included,
//   which whoever can edit the database has seen; the MAC that another row would need plays no part in it.
// What a proof does not cover (states, graces, whose key it is) is judged anew for each resolve by who asks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <queue>
#include <string>
#include <unordered_map>

#include "base/result.h"
#include "vault/profile_mac.h"
#include "vault/proven_key.h"
#include "vault/store.h"

namespace strongroom::vault {

// Proofs belongs to one vault, which outlives it, and to the thread of the trail's writer alone.
class Proofs {
 public:
  // At most so many rows of each table are kept, and no key with more than so many bytes in the columns that the proof
  // leaves free; the one that came first goes first.
  static constexpr std::size_t kMostRows = 4096;
  static constexpr std::size_t kMostFreeBytes = 4096;

  explicit Proofs(const OpenVault& vault) : vault_(vault) {}
  Proofs(const Proofs&) = delete;
  Proofs& operator=(const Proofs&) = delete;

  // Look is called in the transaction of each act, before it reads; Written after an act that may have written rows. Where
  // Look fails, or the engine cannot tell, every row counts as changed.
  void Look(Store& store);
  void Written() { ++reading_; }
  // UnchangedKey is the proof of the row of this KEY_REF where that row needs no reading; nullptr where it does.
  std::shared_ptr<const ProvenKey> UnchangedKey(const std::string& key_ref) const;
  std::shared_ptr<const ProvenProfile> UnchangedProfile(const std::string& profile_ref) const;

  // OfKey is ProvenKey::Prove of a row that was just read, and refuses as that does; OfProfile is ProvenProfile::Prove.
  Result<std::shared_ptr<const ProvenKey>> OfKey(KeyRow row);
  Result<std::shared_ptr<const ProvenProfile>> OfProfile(BoundProfile row);

  // Forget is called where the vault is sealed and where a KEK version changes its state.
  void Forget();

  std::size_t keys() const { return keys_.size(); }
  std::size_t profiles() const { return profiles_.size(); }

 private:
  // Shelf keeps the last proof of each row, by the row's name, and at which reading the row last had those bytes.
  template <typename Proven>
  class Shelf {
   public:
    std::shared_ptr<const Proven> Find(const std::string& ref) const;
    std::shared_ptr<const Proven> FindRead(const std::string& ref, std::uint64_t reading) const;
    void Keep(const std::string& ref, std::shared_ptr<const Proven> proven, std::uint64_t reading);
    std::size_t size() const { return kept_.size(); }

   private:
    struct Kept {
      std::shared_ptr<const Proven> proven;
      std::uint64_t reading = 0;
    };
    std::unordered_map<std::string, Kept> kept_;
    std::queue<std::string> order_;  // each name in kept_ once, as they came
  };

  const OpenVault& vault_;
  std::uint64_t reading_ = 1;      // moves whenever rows may have changed
  std::int64_t data_version_ = 0;  // the database's, at this reading
  Shelf<ProvenKey> keys_;
  Shelf<ProvenProfile> profiles_;
};

}  // namespace strongroom::vault
