#include <algorithm>
#include <array>
#include <set>

#include "base/process.h"
#include "vault/server.h"

namespace strongroom::vault {
namespace {

constexpr std::uint8_t Bit(Role role) { return static_cast<std::uint8_t>(role); }
constexpr std::uint8_t kBothHands = Bit(Role::kAdmin) | Bit(Role::kWorker);

std::unexpected<VaultProblem> Problem(std::string text) { return std::unexpected(VaultProblem{std::move(text)}); }

}  // namespace

std::expected<RolePolicy, VaultProblem> RolePolicy::Resolve(const base::Config& config) {
  RolePolicy policy;
  policy.single_user_ = config.vault.single_user;
  struct List {
    Role role;
    const char* name;
    const std::vector<std::string>& members;
  };
  const std::array<List, 3> lists = {{{Role::kAdmin, "admin", config.roles.admin},
                                      {Role::kWorker, "worker", config.roles.worker},
                                      {Role::kAuditor, "auditor", config.roles.auditor}}};
  for (const List& list : lists) {
    for (const std::string& name : list.members) {
      const bool is_group = name.starts_with('@');
      const auto id = is_group ? base::FindGroup(name.substr(1)) : base::FindUser(name);
      if (!id) {
        return Problem("strongroom.toml, [roles] " + std::string(list.name) + ": there is no " +
                       (is_group ? "group" : "user") + " \"" + name + "\"; create it or correct the list");
      }
      policy.members_.push_back(Member{list.role, is_group, *id});
    }
  }
  for (const Member& member : policy.members_) {
    if (member.is_group || policy.single_user_) continue;
    const auto same = [&](Role role) {
      return std::any_of(policy.members_.begin(), policy.members_.end(), [&](const Member& other) {
        return !other.is_group && other.id == member.id && other.role == role;
      });
    };
    if (same(Role::kAdmin) && same(Role::kWorker)) {
      return Problem("strongroom.toml, [roles]: user " + base::UserName(member.id) +
                     " is admin and worker; give each a user of its own, or set vault.single_user = true");
    }
  }
  return policy;
}

std::uint8_t RolePolicy::RolesOf(uid_t uid, gid_t gid) const {
  std::uint8_t roles = 0;
  bool any_group = false;
  for (const Member& member : members_) {
    any_group = any_group || member.is_group;
    if (!member.is_group && member.id == uid) roles = static_cast<std::uint8_t>(roles | Bit(member.role));
  }
  if (any_group) {
    const std::vector<gid_t> list = base::GroupsOf(uid, gid);
    const std::set<gid_t> groups(list.begin(), list.end());
    for (const Member& member : members_) {
      if (member.is_group && groups.contains(member.id)) roles = static_cast<std::uint8_t>(roles | Bit(member.role));
    }
  }
  if (!single_user_ && (roles & kBothHands) == kBothHands) return 0;
  return roles;
}

}  // namespace strongroom::vault
