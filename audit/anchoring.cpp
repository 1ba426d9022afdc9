#include "audit/anchoring.h"

#include <utility>

namespace strongroom::audit {

Anchoring::Anchoring(Keep keep, std::function<void()> wake) : keep_(std::move(keep)), wake_writer_(std::move(wake)) {
  if (keep_) thread_ = std::thread([this] { Run(); });
}

Anchoring::~Anchoring() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<void> Anchoring::Now(const Head& head) {
  if (!keep_) return {};
  Finish();
  return keep_(head);
}

void Anchoring::Later(Group group) {
  CHECK(keep_ != nullptr);
  {
    const std::lock_guard lock(mutex_);
    ++pending_;
    waiting_.push_back(std::move(group));
  }
  wake_.notify_one();
}

void Anchoring::Finish() {
  if (idle()) return;
  std::unique_lock lock(mutex_);
  settled_.wait(lock, [this] { return idle(); });
}

std::vector<Anchoring::Failure> Anchoring::TakeFailed() {
  const std::lock_guard lock(mutex_);
  has_failed_ = false;
  return std::exchange(failed_, {});
}

void Anchoring::Run() {
  while (true) {
    std::vector<Group> groups;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      groups.swap(waiting_);
    }
    Serve(std::move(groups));
  }
}

// The newest head stands for all before it.
void Anchoring::Serve(std::vector<Group> groups) {
  const std::size_t count = groups.size();
  keeping_since_ = base::MonoMicros();
  const auto kept = keep_(groups.back().head);
  keeping_since_ = 0;
  if (kept) {
    for (Group& group : groups) {
      for (std::size_t i = 0; i < group.jobs.size(); ++i) group.jobs[i].done(std::move(group.receipts[i]));
    }
  }
  {
    const std::lock_guard lock(mutex_);
    for (Group& group : groups) {
      if (!kept) failed_.push_back({std::move(group.jobs), kept.error()});
    }
    if (!kept) has_failed_ = true;
    pending_ -= count;
  }
  settled_.notify_all();
  if (!kept) wake_writer_();
}

}  // namespace strongroom::audit
