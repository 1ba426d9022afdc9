#include "vault/replacement.h"

#include <utility>

#include "audit/record.h"
#include "vault/open_vault.h"
#include "vault/profile_mac.h"

namespace strongroom::vault {
namespace {

constexpr std::int64_t kMostVersions = 1000;

}  // namespace

// A row that was rotated changed its state at the time of that act's record.
Result<std::string> ReplacedBy(Store& store, const KeyRow& row) {
  std::string found;
  if (row.status != StateName(KeyState::kRotated)) return found;
  TRY(store.RotationsAt(row.state_changed_at, [&](const audit::Entry& entry) {
    const audit::Draft& act = entry.draft;
    if (!act.before || !act.key_ref) return;
    const auto old_key = act.before->find("key_ref");
    if (old_key != act.before->end() && old_key->second == row.key_ref) found = *act.key_ref;
  }));
  return found;
}

Result<std::string> Replaces(Store& store, const KeyRow& row) {
  TRY_ASSIGN(const std::vector<KeyRow> rotated, store.ListKeys(row.customer, StateName(KeyState::kRotated), "", kMostVersions));
  for (const KeyRow& other : rotated) {
    if (other.provider != row.provider || other.label != row.label || other.key_version >= row.key_version) continue;
    TRY_ASSIGN(const std::string by, ReplacedBy(store, other));
    if (by == row.key_ref) return other.key_ref;
  }
  return std::string();
}

Result<std::size_t> RepointProfiles(const OpenVault& vault, Store& store, std::string_view from, const std::string& to, base::Micros now) {
  TRY_ASSIGN(std::vector<ProfileRow> profiles, store.ProfilesOfKey(from));
  for (ProfileRow& profile : profiles) {
    // A profile that somebody pointed at this key by hand must not come out of it with our MAC.
    TRY(CheckIntact(vault, profile));
    profile.key_ref = to;
    profile.updated_at = now;
    TRY(SignProfile(vault, profile));
    TRY(store.UpdateProfile(profile));
  }
  return profiles.size();
}

}  // namespace strongroom::vault
