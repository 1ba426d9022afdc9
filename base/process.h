// What every main does before anything else, and what a process may know of itself and of others.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace strongroom::base {

// HardenProcess clears the environment but for a short allow-list (before a library can obey SSLKEYLOGFILE,
// https_proxy or the like), forbids core dumps and same-uid ptrace, ignores SIGPIPE, sets umask 0077 and makes
// sure that descriptors 0, 1 and 2 are open: a standard output that was closed refuses what is written. Call it first in main.
void HardenProcess();

// UserName is the account name of a uid, or the uid in decimal where it has none.
std::string UserName(uid_t uid);
// FindUser reads a user name or a decimal uid. kNotFound where there is none.
Result<uid_t> FindUser(const std::string& name);
// GroupsOf lists every group of the uid, supplementary ones included, by the system's own database.
std::vector<gid_t> GroupsOf(uid_t uid, gid_t primary);
// FindGroup reads a group name or a decimal gid. kNotFound where there is none.
Result<gid_t> FindGroup(const std::string& name);
// UsersOf lists every user of a group, those whose own group it is included, by name; as far as the system's database can be listed.
std::vector<uid_t> UsersOf(gid_t gid);
// PidStart is the start time of a process in clock ticks since boot (field 22 of /proc/PID/stat), 0 if unknown.
// With the pid it names one process for good. Evidence only, never authority.
std::uint64_t PidStart(pid_t pid);
// HostName is this machine's name, "localhost" where it has none.
std::string HostName();

}  // namespace strongroom::base
