// Anteroom: the one thread for what an act has to do before it may take the trail writer's time: stretching a passphrase,
// asking a token. One ceremony is in it at a time, from its beginning until its answer: passphrases cannot be tried in
// parallel, nor the last two protectors of a KEK removed past each other.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace strongroom::vault {

class Anteroom {
 public:
  Anteroom() = default;
  Anteroom(const Anteroom&) = delete;
  Anteroom& operator=(const Anteroom&) = delete;
  ~Anteroom() { Close(); }

  // Enter runs `work` on the thread of its own; false where somebody is in it, or it is closed. Whoever entered leaves, on
  // any thread, once all is answered.
  bool Enter(std::function<void()> work);
  void Leave();
  // Close waits for the work that was begun.
  void Close();

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::function<void()> work_;
  bool taken_ = false, closed_ = false;
  std::thread thread_;  // begun by the first that enters
};

}  // namespace strongroom::vault
