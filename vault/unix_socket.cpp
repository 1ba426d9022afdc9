#include "vault/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/log.h"
#include "base/process.h"

namespace strongroom::vault {
namespace {

constexpr int kBacklog = 128;
constexpr std::string_view kNewSuffix = ".new";
// What sun_path holds, less its final zero and the suffix of the name a socket is made under.
constexpr std::size_t kMostPath = sizeof(sockaddr_un::sun_path) - 1 - kNewSuffix.size();

Result<void> CheckPath(const std::string& path) {
  if (path.empty() || path.size() > kMostPath) {
    return Fail(Code::kInvalidArgument,
                "the socket's path is too long for the kernel: set a shorter vault.socket in strongroom.toml; bytes "
                "allowed",
                static_cast<std::int64_t>(kMostPath));
  }
  return {};
}

sockaddr_un AddressOf(const std::string& path) {
  CHECK(path.size() < sizeof(sockaddr_un::sun_path));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

base::UniqueFd NewSocket() { return base::UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

const sockaddr* Generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

// GiveToGroup hands the socket to group strongroom. Where there is none, or vaultd's user is not in it, its own group
// stays: fewer can connect then, never more.
void GiveToGroup(const std::string& path) {
  const auto group = base::FindGroup("strongroom");
  if (!group) return;
  if (chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0) {
    base::Log(base::Level::kWarning, "socket_group_unchanged",
              {{"why", "vaultd's user is not in group strongroom"}, {"errno", errno}});
  }
}

}  // namespace

Result<Credentials> PeerCredentials(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return Fail(Code::kUnavailable, "the kernel does not name the peer; errno", errno);
  }
  Credentials named;
  named.uid = credentials.uid;
  named.gid = credentials.gid;
  named.pid = credentials.pid;
  return named;
}

Result<base::UniqueFd> ConnectTo(const std::string& path, uid_t server_uid) {
  TRY(CheckPath(path));
  const sockaddr_un address = AddressOf(path);
  base::UniqueFd fd = NewSocket();
  if (!fd.valid() || connect(fd.get(), Generic(address), sizeof address) != 0) {
    return Fail(Code::kUnavailable, "cannot connect to vaultd's socket: is vaultd running on this home? errno", errno);
  }
  TRY_ASSIGN(const Credentials owner, PeerCredentials(fd.get()));
  if (owner.uid != server_uid) {
    return Fail(Code::kPermissionDenied,
                "nothing was sent: the process behind vaultd's socket runs under a uid that vault.user in "
                "strongroom.toml does not name; its uid",
                owner.uid);
  }
  return fd;
}

Result<base::UniqueFd> ListenAt(const std::string& path) {
  struct stat there {};
  if (lstat(path.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode)) {
    return Fail(Code::kAlreadyExists, "the socket's path is taken by something that is no socket: move it away");
  }
  TRY(CheckPath(path));
  const std::string temporary = path + std::string(kNewSuffix);
  const sockaddr_un address = AddressOf(temporary);
  unlink(temporary.c_str());
  base::UniqueFd fd = NewSocket();
  if (!fd.valid() || bind(fd.get(), Generic(address), sizeof address) != 0) {
    return Fail(Code::kUnavailable, "cannot make the socket; errno", errno);
  }
  // Nobody can connect before listen(), so there is no moment with another mode or owner.
  GiveToGroup(temporary);
  if (chmod(temporary.c_str(), 0660) != 0 || listen(fd.get(), kBacklog) != 0 ||
      std::rename(temporary.c_str(), path.c_str()) != 0) {
    const int why = errno;
    unlink(temporary.c_str());
    return Fail(Code::kUnavailable, "cannot put the socket in its place; errno", why);
  }
  return fd;
}

Result<base::UniqueFd> AcceptFrom(int listener) {
  for (;;) {
    base::UniqueFd fd(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.valid() || errno == EAGAIN) return fd;
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      return Fail(Code::kResourceExhausted, "no descriptor for another connection: raise RLIMIT_NOFILE; errno", errno);
    }
    // What else can go wrong concerns the one connection that is already gone (ECONNABORTED), or is ours (EBADF).
    if (errno == EBADF || errno == EINVAL) return Fail(Code::kInternal, "the listening socket is broken; errno", errno);
  }
}

}  // namespace strongroom::vault
