// Publisher: the trail's checkpoints for whoever keeps them off the host, as files of a directory and as lines of the log
// (audit/FORMAT.md, Checkpoints); and the heartbeat that shows, where nothing else happens, that the trail is alive. It has two threads of its own:
// its directory may be slow or away, and what watches the log must not wait for it. A stop does.
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
    std::function<void()> watch = {};                       // called every now and then, whatever the directory does
    std::function<void(const Published&)> look = {};        // called every now and then, between two looks at what is to be published
  };
  // `beat` submits the heartbeat's record. All must outlive the publisher.
  Publisher(Trail& trail, audit::LogWriter& log, std::function<void()> beat, Options options);
  // The destructor publishes what is not yet.
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  Published published() const;

 private:
  // Wait is true once it stops.
  bool Wait();
  void Run();
  void WatchLog();
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
  base::Micros publish_at_ = 0;  // MonoMicros, as all here; of thread_ alone
  base::Micros beat_at_ = 0, seen_at_ = 0;  // of watching_ alone
  std::int64_t seen_seq_ = -2;
  std::thread thread_, watching_;
};

}  // namespace strongroom::vault
