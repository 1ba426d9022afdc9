#include "vault/publisher.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include "audit/checkpoint.h"
#include "base/files.h"
#include "base/log.h"

namespace strongroom::vault {
namespace {

constexpr std::chrono::milliseconds kLook{250};
constexpr std::size_t kHourCharacters = 13;  // of "2026-11-20T08:00:00.123456Z"

// The first checkpoint of each hour stays, under the hour's name.
std::string HourlyName(base::Micros now) {
  return std::string(kNewestCheckpoint) + "-" + base::FormatTime(now).substr(0, kHourCharacters) + "Z";
}

}  // namespace

Publisher::Publisher(Trail& trail, audit::LogWriter& log, std::function<void()> beat, Options options)
    : trail_(trail), log_(log), beat_(std::move(beat)), options_(std::move(options)), thread_([this] { Run(); }), watching_([this] { WatchLog(); }) {}

Publisher::~Publisher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  watching_.join();
  thread_.join();
}

Publisher::Published Publisher::published() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

bool Publisher::Wait() {
  const auto look = std::min(kLook, std::chrono::milliseconds(options_.every / base::kMicrosPerMilli));
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, look, [this] { return stopping_; });
  return stopping_;
}

void Publisher::WatchLog() {
  beat_at_ = base::MonoMicros() + options_.heartbeat;
  while (!Wait()) {
    log_.Watch();
    if (options_.watch) options_.watch();
    Beat();
  }
}

void Publisher::Run() {
  for (bool last = false; !last;) {
    last = Wait();
    if (options_.look) options_.look(published());
    // What was kept while nobody could sign.
    if (const auto kept = trail_.KeepSigned(); !kept) base::LogError("checkpoint_not_signed", kept.error());
    if (last || base::MonoMicros() >= publish_at_) Publish();
  }
}

// Any other record does what a heartbeat would.
void Publisher::Beat() {
  const base::Micros now = base::MonoMicros();
  // Not by the clock on the wall, which may be set back.
  if (const std::int64_t seq = log_.last_seq(); std::exchange(seen_seq_, seq) != seq) seen_at_ = now;
  const base::Micros idle = now - seen_at_;
  if (idle < options_.heartbeat) {
    beat_at_ = now + options_.heartbeat - idle;
  } else if (now >= beat_at_) {
    beat_at_ = now + options_.heartbeat;
    beat_();
  }
}

void Publisher::Publish() {
  if (trail_.standing() != Standing::kSound) return;
  const std::string text = trail_.NewestNote();
  const auto note = audit::Note::Parse(text);
  const auto checkpoint = note ? audit::Checkpoint::Parse(note->text) : Fail(note.error());
  // Others refuse what has no signature.
  if (!checkpoint || note->signatures.empty()) return;
  Published published = this->published();
  const bool gone = published.size > 0 && !published.failing && !StillThere();
  if (gone) base::Log(base::Level::kWarning, "published_checkpoint_gone", {{"directory", options_.directory}});
  if (text == published.note && !published.failing && !gone) return;
  const bool again = published.failing;
  const auto put = Put(text);
  if (!put && !again) {
    base::LogError("checkpoint_not_published", put.error(), {{"directory", options_.directory}});
  }
  published.failing = !put;
  if (put) {
    published.size = checkpoint->head.size;
    published.note = text;
    published.at = base::WallMicros();
    base::Log(base::Level::kInfo, "checkpoint", {{"size", checkpoint->head.size}, {"note", text}});
  }
  publish_at_ = base::MonoMicros() + options_.every;
  const std::lock_guard lock(mutex_);
  published_ = published;
}

// Somebody may have taken away what was published.
bool Publisher::StillThere() const {
  std::error_code ignored;
  return options_.directory.empty() || std::filesystem::exists(options_.directory + "/" + std::string(kNewestCheckpoint), ignored);
}

Result<void> Publisher::Put(const std::string& note) {
  constexpr mode_t kDirectoryMode = 0755, kFileMode = 0644;
  if (options_.directory.empty()) return {};
  const auto made = base::CreateDirectory(options_.directory, kDirectoryMode);
  if (!made && made.error().code() != Code::kAlreadyExists) return made;
  const std::string hourly = options_.directory + "/" + HourlyName(base::WallMicros());
  std::error_code ignored;
  if (!std::filesystem::exists(hourly, ignored)) TRY(base::WriteFileAtomic(hourly, note, kFileMode));
  return base::WriteFileAtomic(options_.directory + "/" + std::string(kNewestCheckpoint), note, kFileMode);
}

}  // namespace strongroom::vault
