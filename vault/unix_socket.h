// Unix sockets as vaultd and its clients use them: named by a path, each side named to the other by the kernel.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/files.h"
#include "base/result.h"

namespace strongroom::vault {

// Credentials are the kernel's word (SO_PEERCRED) on who connected, or who listens.
struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
};
Result<Credentials> PeerCredentials(int fd);

// ConnectTo connects, non-blocking and close-on-exec, to the socket at `path`, and returns it only if its listener's
// uid is `server_uid`: kPermissionDenied otherwise, with the uid found. kUnavailable with the errno where nobody
// listens.
Result<base::UniqueFd> ConnectTo(const std::string& path, uid_t server_uid);

// ListenAt makes a listening socket at `path`, mode 0660, of group `strongroom` where that group exists and we may give
// it. It appears under its name only when all that is done, and takes the place of a stale socket: the caller holds the
// home's lock. Anything there that is no socket is left alone (kAlreadyExists). kInvalidArgument over the kernel's limit
// for a path.
Result<base::UniqueFd> ListenAt(const std::string& path);

// AcceptFrom takes one waiting connection, non-blocking and close-on-exec. An invalid descriptor: none is waiting.
// kResourceExhausted where descriptors ran out.
Result<base::UniqueFd> AcceptFrom(int listener);

}  // namespace strongroom::vault
