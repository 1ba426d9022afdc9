#include "audit/turn_queue.h"

#include <utility>

namespace strongroom::audit {

void TurnQueue::Push(Job job) {
  const std::uint64_t turn = job.turn;
  auto& jobs = turns_[turn];
  if (jobs.empty()) rotation_.push_back(turn);
  jobs.push_back(std::move(job));
  ++size_;
}

std::vector<Job> TurnQueue::Take(std::size_t most) {
  std::vector<Job> group;
  bool alone = false;
  while (!rotation_.empty() && group.size() < most && !alone) {
    const std::uint64_t turn = rotation_.front();
    const auto jobs = turns_.find(turn);
    alone = jobs->second.front().alone;
    if (alone && !group.empty()) break;
    group.push_back(std::move(jobs->second.front()));
    jobs->second.pop_front();
    rotation_.pop_front();
    --size_;
    if (jobs->second.empty()) {
      turns_.erase(jobs);
    } else {
      rotation_.push_back(turn);
    }
  }
  return group;
}

}  // namespace strongroom::audit
