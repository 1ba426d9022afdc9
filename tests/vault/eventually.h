// Eventually: how a test waits for what another thread does.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace strongroom::vault {

// Eventually polls until the condition holds; false after 20 seconds.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace strongroom::vault
