// Anchoring: the second half of a commit. The trail's new head is made durable outside the database, and only then are the
// callers told; meanwhile the next group is written.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "audit/merkle.h"
#include "audit/job.h"
#include "base/clock.h"
#include "base/result.h"

namespace strongroom::audit {

class Anchoring {
 public:
  // Keep makes a head durable before it returns. It is called by one thread at a time, with heads that grow.
  using Keep = std::function<Result<void>(const Head& head)>;

  // Group is what one transaction has committed.
  struct Group {
    std::vector<Job> jobs;
    std::vector<Receipt> receipts;
    Head head;
  };
  struct Failure {
    std::vector<Job> jobs;
    Error error;
  };

  // `wake` is called, from the thread of this, when there is something for TakeFailed.
  Anchoring(Keep keep, std::function<void()> wake);
  ~Anchoring();  // behind Finish
  Anchoring(const Anchoring&) = delete;
  Anchoring& operator=(const Anchoring&) = delete;

  // Now keeps a head on the caller's thread, behind whatever was handed over before.
  Result<void> Now(const Head& head);
  // Later takes a group over. Once its head is kept, `done` of its jobs is called on the thread of this.
  void Later(Group group);
  // idle: nothing that was handed over is still to be done.
  bool idle() const { return pending_.load() == 0; }
  // Finish waits until idle.
  void Finish();
  // TakeFailed is the jobs whose head could not be kept: their `done` was not called.
  std::vector<Failure> TakeFailed();
  bool has_failed() const { return has_failed_.load(); }
  // keeping_since is when (MonoMicros) the head that is being kept now was begun with, 0 for none.
  base::Micros keeping_since() const { return keeping_since_.load(); }

 private:
  void Run();
  void Serve(std::vector<Group> groups);

  const Keep keep_;
  const std::function<void()> wake_writer_;
  std::mutex mutex_;  // guards waiting_, failed_ and stopping_
  std::condition_variable wake_, settled_;
  std::vector<Group> waiting_;
  std::vector<Failure> failed_;
  bool stopping_ = false;
  std::atomic<std::size_t> pending_{0};  // groups handed over and not done
  std::atomic<bool> has_failed_{false};
  std::atomic<base::Micros> keeping_since_{0};
  std::thread thread_;  // none without keep_
};

}  // namespace strongroom::audit
