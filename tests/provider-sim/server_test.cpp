#include "provider-sim/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "base/files.h"
#include "provider-sim/certificates.h"

namespace strongroom::sim {
namespace {

// Running is a server on a free port with its loop in a thread.
class Running {
 public:
  explicit Running(const ServerOptions& options) {
    auto started = Server::Start(options);
    REQUIRE(started.has_value());
    server_ = std::move(*started);
    thread_ = std::thread([this] { server_->Run(); });
  }
  ~Running() {
    server_->Stop();
    thread_.join();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  Server& server() { return *server_; }

  base::UniqueFd Connect() {
    base::UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const timeval patience = {20, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
  }

 private:
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

std::string ReadToEnd(int fd) {
  std::string all;
  char buffer[4096];
  for (ssize_t count = 0; (count = recv(fd, buffer, sizeof buffer, 0)) > 0;)
    all.append(buffer, static_cast<std::size_t>(count));
  return all;
}

void Send(int fd, const std::string& text) {
  REQUIRE(send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

std::string Post(const std::string& prompt, bool close) {
  const std::string body = R"({"model":"m","stream":false,"prompt":")" + prompt + "\"}";
  return "POST /api/generate HTTP/1.1\r\nhost: x\r\ncontent-length: " + std::to_string(body.size()) +
         (close ? "\r\nconnection: close" : "") + "\r\n\r\n" + body;
}

std::size_t Count(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("provider-sim server: keep-alive, pipelining and requests that drip in") {
  Running running{ServerOptions()};
  const base::UniqueFd fd = running.Connect();
  Send(fd.get(), Post("one", false) + Post("two", false));
  for (const char c : Post("three", true)) Send(fd.get(), std::string(1, c));
  const std::string all = ReadToEnd(fd.get());
  CHECK(Count(all, "HTTP/1.1 200 OK") == 3);
  CHECK(Count(all, "connection: close") == 1);
}

TEST_CASE("provider-sim server: rubbish is refused and half requests are dropped, and it lives") {
  Running running{ServerOptions()};
  {
    const base::UniqueFd fd = running.Connect();
    Send(fd.get(), "\x16\x03\x01 rubbish\r\n\r\n");
    CHECK(ReadToEnd(fd.get()).starts_with("HTTP/1.1 400"));
  }
  {
    const base::UniqueFd fd = running.Connect();
    Send(fd.get(), "POST /api/generate HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n");
    CHECK(ReadToEnd(fd.get()).starts_with("HTTP/1.1 413"));
  }
  {
    const base::UniqueFd half = running.Connect();
    Send(half.get(), Post("half", false).substr(0, 40));
  }
  const base::UniqueFd fd = running.Connect();
  Send(fd.get(), Post("alive", true));
  CHECK(ReadToEnd(fd.get()).starts_with("HTTP/1.1 200"));
}

TEST_CASE("provider-sim server: cut connections send nothing, or half") {
  Running running{ServerOptions()};
  const base::UniqueFd cut = running.Connect();
  Send(cut.get(), Post("[[fault:cut]]", false));
  CHECK(ReadToEnd(cut.get()).empty());
  const base::UniqueFd mid = running.Connect();
  Send(mid.get(), Post("[[fault:cutmid]]", false));
  const std::string part = ReadToEnd(mid.get());
  CHECK(part.starts_with("HTTP/1.1 200"));
  const std::size_t length = std::stoul(part.substr(part.find("content-length: ") + 16));
  CHECK(part.size() - part.find("\r\n\r\n") - 4 < length);
}

TEST_CASE("provider-sim server: a port that is taken is refused") {
  Running running{ServerOptions()};
  ServerOptions options;
  options.port = running.server().port();
  const auto second = Server::Start(options);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code() == Code::kUnavailable);
}

TEST_CASE("provider-sim server: TLS with a certificate that its own CA proves") {
  const auto directory = std::filesystem::temp_directory_path() / ("sim-tls-" + std::to_string(getpid()));
  ServerOptions options;
  options.tls_dir = directory;
  {
    Running running{options};
    CHECK(running.server().Url().starts_with("https://127.0.0.1:"));
    for (const char* name : {"ca-key.pem", "server-key.pem"}) {
      struct stat status {};
      REQUIRE(stat((directory / name).c_str(), &status) == 0);
      CHECK((status.st_mode & 0777U) == 0600U);
    }
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                    SSL_CTX_free);
    REQUIRE(SSL_CTX_load_verify_locations(context.get(), (directory / "ca.pem").c_str(), nullptr) == 1);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    const base::UniqueFd fd = running.Connect();
    const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context.get()), SSL_free);
    SSL_set_fd(tls.get(), fd.get());
    REQUIRE(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls.get()), "127.0.0.1") == 1);
    REQUIRE(SSL_connect(tls.get()) == 1);
    const std::string request = Post("over tls", true);
    REQUIRE(SSL_write(tls.get(), request.data(), static_cast<int>(request.size())) > 0);
    char buffer[16];
    REQUIRE(SSL_read(tls.get(), buffer, 12) == 12);
    CHECK(std::string(buffer, 12) == "HTTP/1.1 200");
  }
  const auto ca = base::ReadFile(directory / "ca.pem", 10'000);
  const auto server = base::ReadFile(directory / "server.pem", 10'000);
  REQUIRE(EnsureCertificates(directory).has_value());
  CHECK(base::ReadFile(directory / "server.pem", 10'000).value() == server.value());
  // A lost certificate is made again under the same CA; without the CA's key it cannot be.
  std::filesystem::remove(directory / "server.pem");
  REQUIRE(EnsureCertificates(directory).has_value());
  CHECK(base::ReadFile(directory / "server.pem", 10'000).value() != server.value());
  CHECK(base::ReadFile(directory / "ca.pem", 10'000).value() == ca.value());
  std::filesystem::remove(directory / "server.pem");
  std::filesystem::remove(directory / "ca-key.pem");
  const auto refused = EnsureCertificates(directory);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code() == Code::kRefused);
  std::filesystem::remove_all(directory);
}

}  // namespace strongroom::sim
