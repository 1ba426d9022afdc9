// PlainProvider: an http server on loopback that answers every request with the same bytes, for answers that
// provider-sim does not give. Only a profile without a key may use it.
#pragma once

#include <atomic>
#include <string>
#include <thread>

namespace strongroom::e2e {

class PlainProvider {
 public:
  // `answer` is the whole response, head and body.
  explicit PlainProvider(std::string answer);
  PlainProvider(const PlainProvider&) = delete;
  ~PlainProvider();
  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int requests() const { return requests_; }

 private:
  void Serve();
  std::string answer_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> requests_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// HttpAnswer is a response with this status line and body.
std::string HttpAnswer(const std::string& status, const std::string& body, const std::string& headers = "");
// OllamaAnswer is the JSON of a successful chat with this text.
std::string OllamaAnswer(const std::string& text);

}  // namespace strongroom::e2e
