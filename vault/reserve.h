// Reserve: room on the vault database's disk that is kept for the day it is full. It is given up then, so that what is refused can be on record, and a
// key can still be stopped; nothing is released until it could be taken again.
#pragma once

#include <atomic>
#include <mutex>
#include <cstdint>
#include <string>
#include <utility>

namespace strongroom::vault {

class Reserve {
 public:
  static constexpr std::int64_t kBytes = 1 << 20;  // some thousand records

  // `path` is the file that holds the room; empty: there is no disk of ours to keep any on, and it always counts as held.
  explicit Reserve(std::string path) : path_(std::move(path)), held_(path_.empty()) {}

  bool held() const { return held_.load(); }
  // Take takes the room where it is not held and the disk has twice as much. Its callers take turns.
  void Take();
  // Give gives it up, from any thread.
  void Give();

 private:
  const std::string path_;
  std::mutex mutex_;  // Take and Give
  std::atomic<bool> held_;
  std::atomic<bool> told_{false};
};

}  // namespace strongroom::vault
