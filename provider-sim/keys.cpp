#include "provider-sim/keys.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/files.h"

namespace strongroom::sim {
namespace {

constexpr std::size_t kMaxKeyFile = 16UL * 1024 * 1024;

std::int64_t Nanos(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + std::int64_t{time.tv_nsec};
}

}  // namespace

bool IsKeyShaped(std::string_view key) {
  return key.size() >= 20 && key.size() <= 2000 &&
         std::ranges::all_of(key, [](char c) { return c >= 0x21 && c <= 0x7E; });
}

Result<KeyList> KeyList::Open(const std::string& path) {
  KeyList list;
  list.path_ = path;
  if (!path.empty() && !list.Load()) {
    return Fail(Code::kNotFound, "the file of --valid-key-file cannot be read", errno);
  }
  return list;
}

bool KeyList::Accepts(std::string_view key) {
  if (path_.empty()) return IsKeyShaped(key);
  const Stamp now = ReadStamp();
  // A failed load keeps the old keys and is tried again at the next call.
  if (now != stamp_ && now.size >= 0) static_cast<void>(Load());
  return keys_.contains(std::string(key));
}

KeyList::Stamp KeyList::ReadStamp() const {
  struct stat status {};
  if (stat(path_.c_str(), &status) != 0) return {};
  return {status.st_ino, status.st_size, Nanos(status.st_mtim), Nanos(status.st_ctim)};
}

Result<void> KeyList::Load() {
  // The stamp is taken first: a change between the two reads is then seen at the next call.
  const Stamp stamp = ReadStamp();
  TRY_ASSIGN(const std::string text, base::ReadFile(path_, kMaxKeyFile));
  keys_.clear();
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) keys_.emplace(line);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  stamp_ = stamp;
  return {};
}

}  // namespace strongroom::sim
