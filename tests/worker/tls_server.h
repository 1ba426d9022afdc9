// A provider that tests can make misbehave: HTTP/1.1 over TLS or plain, on a free loopback port, a thread a
// connection.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

struct ssl_ctx_st;
struct ssl_st;

namespace strongroom::worker::test {

// TestCa is a private CA in a temporary directory, which goes with it.
class TestCa {
 public:
  TestCa();
  ~TestCa();
  TestCa(const TestCa&) = delete;
  TestCa& operator=(const TestCa&) = delete;
  std::string file() const { return (directory_ / "ca.pem").string(); }
  std::string directory() const { return directory_.string(); }
  // Context is a TLS server's, with a certificate for `names` ("DNS:localhost,IP:127.0.0.1"), valid from now
  // by `valid_seconds` (negative: run out).
  std::shared_ptr<ssl_ctx_st> Context(const std::string& names, long valid_seconds = 3600) const;

 private:
  struct Keys;
  std::filesystem::path directory_;
  std::unique_ptr<Keys> keys_;
};

// Seen is one request as it arrived.
struct Seen {
  std::string head, body;
  int connection = 0;  // from 1
};

// Reply is what a handler wants done.
struct Reply {
  enum class Then : std::uint8_t { kKeep, kClose, kCloseSilently, kDrop, kHang };
  std::string bytes;  // the whole answer
  Then then =
      Then::kKeep;  // kClose: close_notify and FIN; kCloseSilently: FIN; kDrop: RST; kHang: say no more
};
Reply Answer(int status, const std::string& body, const std::string& headers = "");

class TestServer {
 public:
  using Handler = std::function<Reply(const Seen&)>;
  // A null context serves plain HTTP.
  explicit TestServer(std::shared_ptr<ssl_ctx_st> context, Handler handler = {});
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string Url(const std::string& host = "127.0.0.1") const;
  std::vector<Seen> seen() const;
  int connections() const { return connections_; }
  int closed() const { return closed_; }
  // DropIdle closes every open connection from the server's side, politely or not.
  void DropIdle(Reply::Then how);

 private:
  struct Line;
  void Accept();
  void Serve(Line& line);
  bool ReadRequest(Line& line, Seen& request);
  void Finish(Line& line, Reply::Then how);

  std::shared_ptr<ssl_ctx_st> context_;
  Handler handler_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0, closed_ = 0;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::vector<Seen> seen_;
  std::list<std::unique_ptr<Line>> lines_;
  std::thread accepting_;
};

// WaitFor polls a condition for up to 10 s.
bool WaitFor(const std::function<bool()>& condition);

}  // namespace strongroom::worker::test
