// TurnQueue: jobs waiting for the writer, taken in rotation over their turns.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "audit/job.h"

namespace strongroom::audit {

// TurnQueue keeps the order within a turn, and takes one job from each turn before a second from any. Not
// thread-safe.
class TurnQueue {
 public:
  void Push(Job job);
  // Take returns the next group: up to `most` jobs, or one `alone` job by itself. A group ends where an `alone` job is
  // next, so that job waits for one commit at most.
  std::vector<Job> Take(std::size_t most);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  std::map<std::uint64_t, std::deque<Job>> turns_;  // no empty ones
  std::deque<std::uint64_t> rotation_;              // each turn of turns_ once
  std::size_t size_ = 0;
};

}  // namespace strongroom::audit
