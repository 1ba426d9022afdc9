// Publisher: the trail's checkpoints for whoever keeps them off the host, as files of a directory and as lines of the log
// (audit/FORMAT.md, Checkpoints); and the heartbeat that shows, where nothing else happens, that the trail is alive. It has a thread of its own,
// since its directory may be slow or away, and nothing waits for it.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "audit/log_writer.h"
#include "base/clock.h"
#include "vault/trail.h"

namespace strongroom::vault {

class Publisher {
 public:
  // Published is the newest checkpoint that is in the directory; size 0 for none.
  struct Published {
    std::int64_t size = 0;
    std::string note = {};
    base::Micros at = 0;
    bool failing = false;
  };
  struct Options {
    std::string directory;  // made where it is missing, 0755; empty: lines of the log alone
    base::Micros every = 10 * base::kMicrosPerSecond;       // at most so often
    base::Micros heartbeat = 300 * base::kMicrosPerSecond;  // without any other record
    std::function<void(const Published&)> look = {};        // called every now and then, as often as it looks itself
  };
  // `beat` submits the heartbeat's record. All must outlive the publisher.
  Publisher(Trail& trail, audit::LogWriter& log, std::function<void()> beat, Options options);
  // The destructor publishes what is not yet.
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  Published published() const;

 private:
  void Run();
  void Beat();
  void Publish();
  Result<void> Put(const std::string& note);
  bool StillThere() const;

  Trail& trail_;
  audit::LogWriter& log_;
  const std::function<void()> beat_;
  const Options options_;
  mutable std::mutex mutex_;  // guards stopping_ and published_
  std::condition_variable wake_;
  bool stopping_ = false;
  Published published_;
  base::Micros beat_at_ = 0, publish_at_ = 0;  // MonoMicros; its thread's own, as what follows
  std::int64_t seen_seq_ = -2;
  base::Micros seen_at_ = 0;
  std::thread thread_;
};

}  // namespace strongroom::vault
