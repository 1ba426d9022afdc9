#include "tests/e2e/plain_provider.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace strongroom::e2e {
namespace {

// WholeRequest is true once head and body (by Content-Length) are there.
bool WholeRequest(const std::string& text) {
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::size_t at = text.find("Content-Length: ");
  const std::size_t body = at == std::string::npos ? 0 : std::strtoul(text.c_str() + at + 16, nullptr, 10);
  return text.size() >= end + 4 + body;
}

// Readable waits a little; the caller looks at its stop flag in between.
bool Readable(int fd) {
  pollfd one{fd, POLLIN, 0};
  return poll(&one, 1, 50) > 0;
}

}  // namespace

PlainProvider::PlainProvider(std::string answer) : answer_(std::move(answer)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || listen(listener_, 64) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

PlainProvider::~PlainProvider() {
  stopping_ = true;
  thread_.join();
  close(listener_);
}

void PlainProvider::Serve() {
  while (!stopping_) {
    if (!Readable(listener_)) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    std::string request;
    while (!stopping_ && !WholeRequest(request)) {
      char buffer[16'384];
      if (!Readable(fd)) continue;
      const ssize_t got = read(fd, buffer, sizeof buffer);
      if (got <= 0) break;
      request.append(buffer, static_cast<std::size_t>(got));
    }
    ++requests_;
    for (std::size_t sent = 0; sent < answer_.size();) {
      const ssize_t put = send(fd, answer_.data() + sent, answer_.size() - sent, MSG_NOSIGNAL);
      if (put <= 0) break;
      sent += static_cast<std::size_t>(put);
    }
    close(fd);
  }
}

std::string HttpAnswer(const std::string& status, const std::string& body, const std::string& headers) {
  return "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nConnection: close\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string OllamaAnswer(const std::string& text) {
  return R"({"model":"llama3.1","created_at":"2026-11-20T00:00:00Z","message":{"role":"assistant","content":")" +
         text + R"("},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":7})";
}

}  // namespace strongroom::e2e
