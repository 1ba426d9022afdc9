// Anteroom: the one thread for what an act has to do before it may take the trail writer's time: stretching a passphrase,
// asking a token. One ceremony is in it at a time, from its beginning until its answer: passphrases cannot be tried in
// parallel, nor the last two protectors of a KEK removed past each other.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
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
  // stop tells whoever is in it that its work is not wanted any more; Interrupt says so, from any thread.
  std::stop_token stop() const;
  void Interrupt();
  // Close interrupts the work that was begun, and waits for it.
  void Close();

 private:
  void Run();

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::function<void()> work_;
  std::stop_source stop_;  // of whoever is in it
  bool taken_ = false, closed_ = false;
  std::thread thread_;  // begun by the first that enters
};

}  // namespace strongroom::vault
