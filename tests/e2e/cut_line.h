// CutLine stands in HOME/vaultd.sock's place, and hands on what comes to the vaultd behind it, until it is cut: at a chosen request of a command
// each of them is tried as the one after which vaultd is gone.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace strongroom::e2e {

class CutLine {
 public:
  enum class Cut { kBeforeRequest, kBeforeAnswer };

  // The first `whole` connections are handed on (keytool makes one a request); the next loses its request or its answer, and each one
  // after it finds nobody.
  CutLine(const std::string& home, std::int64_t whole, Cut cut);
  // The destructor puts vaultd's own socket back.
  ~CutLine();
  CutLine(const CutLine&) = delete;
  CutLine& operator=(const CutLine&) = delete;

  // cut is whether any connection was refused or lost.
  bool cut() const { return seen_.load() > whole_; }

 private:
  void Run();
  void Serve(int client, bool answered) const;

  const std::string path_, behind_;
  const std::int64_t whole_;
  const Cut how_;
  int listener_ = -1;
  std::atomic<std::int64_t> seen_{0};
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace strongroom::e2e
