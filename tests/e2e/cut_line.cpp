#include "tests/e2e/cut_line.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace strongroom::e2e {
namespace {

constexpr int kLookEveryMs = 50;

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("a socket's path is too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

void Must(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("cut line: ") + what + ": " + std::strerror(errno));
}

// Move hands on what is there; false at the end of the stream.
bool Move(int from, int to) {
  std::array<char, 65536> bytes;
  const ssize_t got = read(from, bytes.data(), bytes.size());
  if (got <= 0) return false;
  return to < 0 || send(to, bytes.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) == got;
}

}  // namespace

CutLine::CutLine(const std::string& home, std::int64_t whole, Cut cut)
    : path_(home + "/vaultd.sock"), behind_(path_ + ".own"), whole_(whole), how_(cut) {
  Must(std::rename(path_.c_str(), behind_.c_str()) == 0, "rename");
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = AddressOf(path_);
  Must(bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && listen(listener_, 16) == 0, "listen");
  thread_ = std::thread([this] { Run(); });
}

CutLine::~CutLine() {
  ended_ = true;
  thread_.join();
  close(listener_);
  static_cast<void>(std::rename(behind_.c_str(), path_.c_str()));
}

void CutLine::Run() {
  while (!ended_) {
    pollfd ready{listener_, POLLIN, 0};
    if (poll(&ready, 1, kLookEveryMs) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    const std::int64_t number = seen_++;
    if (number < whole_) Serve(client, true);
    if (number == whole_ && how_ == Cut::kBeforeAnswer) Serve(client, false);
    close(client);
  }
}

// Serve ends with either side. The answer of one that is not to be answered is waited for, so that what was asked is done.
void CutLine::Serve(int client, bool answered) const {
  const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = AddressOf(behind_);
  bool open = connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  while (open && !ended_) {
    std::array<pollfd, 2> ready{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
    if (poll(ready.data(), ready.size(), kLookEveryMs) <= 0) continue;
    if (ready[0].revents != 0) open = Move(client, server);
    if (open && ready[1].revents != 0) open = answered ? Move(server, client) : false;
  }
  close(server);
}

}  // namespace strongroom::e2e
