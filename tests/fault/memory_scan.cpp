#include "tests/fault/memory_scan.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

namespace strongroom::fault {
namespace {

constexpr std::size_t kWord = sizeof(std::uint64_t);
constexpr std::size_t kRead = 1 << 20;
constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kMostSurroundings = 12, kBefore = 48;

std::uint64_t WordAt(const char* at) {
  std::uint64_t word = 0;
  memcpy(&word, at, kWord);
  return word;
}

std::size_t Slot(std::uint64_t word) {
  return static_cast<std::size_t>((word * 0x9e3779b97f4a7c15ULL) >> 48);
}

std::string Printable(std::string_view bytes) {
  std::string text(bytes);
  std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '.');
  return text;
}

}  // namespace

std::string Scan::Text() const {
  std::string text = std::to_string(bytes) + " bytes read, " + std::to_string(unreadable) +
                     " pages unreadable, " + std::to_string(hits) + " hits";
  for (const auto& [name, count] : where) text += "\n  " + name + ": " + std::to_string(count);
  for (const std::string& before : surroundings) text += "\n  after: " + before;
  return text;
}

MemoryScan::MemoryScan(std::vector<std::string> keys) : keys_(std::move(keys)) {
  for (std::size_t key = 0; key < keys_.size(); ++key) {
    longest_ = std::max(longest_, keys_[key].size());
    for (std::size_t at = 0; at + kWord <= keys_[key].size(); ++at) {
      const std::uint64_t word = WordAt(keys_[key].data() + at);
      words_.emplace(word, Place{key, at});
      maybe_[Slot(word)] = true;
    }
  }
}

std::uint64_t MemoryScan::Piece(Scan& scan, const std::string& name, std::string_view bytes,
                                std::uint64_t address, std::uint64_t seen_to) const {
  for (std::size_t word_at = 0; word_at + kWord <= bytes.size(); word_at += kWord) {
    const std::uint64_t word = WordAt(bytes.data() + word_at);
    if (!maybe_[Slot(word)]) continue;
    const auto [first, last] = words_.equal_range(word);
    for (auto found = first; found != last; ++found) {
      const std::string& key = keys_[found->second.key];
      std::size_t from = word_at, key_from = found->second.at;
      while (from > 0 && key_from > 0 && bytes[from - 1] == key[key_from - 1]) --from, --key_from;
      std::size_t to = word_at + kWord, key_to = found->second.at + kWord;
      while (to < bytes.size() && key_to < key.size() && bytes[to] == key[key_to]) ++to, ++key_to;
      if (to - from < kPiece || address + from < seen_to) continue;
      seen_to = address + to;
      ++scan.hits;
      ++scan.where[name];
      if (scan.surroundings.size() >= kMostSurroundings) continue;
      const std::size_t before = std::min(from, kBefore);
      scan.surroundings.push_back(Printable(bytes.substr(from - before, before)) + "<" +
                                  std::to_string(to - from) + " bytes>");
    }
  }
  return seen_to;
}

void MemoryScan::Range(Scan& scan, const std::string& name, std::uint64_t begin, std::uint64_t end,
                       const Fetch& fetch) const {
  // Each read begins a key's length, in whole words, before the last one's end: no run is cut in two.
  const std::uint64_t overlap = (longest_ + kWord) / kWord * kWord;
  std::vector<char> buffer(kRead);
  std::uint64_t seen_to = 0;
  for (std::uint64_t at = begin, counted = begin; at < end;) {
    const std::size_t wanted = std::min<std::uint64_t>(end - at, buffer.size());
    const ssize_t got = fetch(buffer.data(), wanted, at);
    if (got <= 0) {
      ++scan.unreadable;
      at = counted = (at / kPage + 1) * kPage;
      continue;
    }
    const auto size = static_cast<std::size_t>(got);
    seen_to = Piece(scan, name, std::string_view(buffer.data(), size), at, seen_to);
    at += size;
    scan.bytes += at - counted;
    counted = at;
    // A short read ends before a page that cannot be read: nothing goes on there.
    if (size == wanted && at < end) at -= overlap;
  }
}

Scan MemoryScan::OfProcess(pid_t pid, Mappings mappings) const {
  Scan scan;
  const std::string directory = "/proc/" + std::to_string(pid);
  std::ifstream maps(directory + "/maps");
  const int memory = open((directory + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    std::uint64_t begin = 0, end = 0;
    char dash = 0;
    std::string mode, offset, device, inode, name;
    fields >> std::hex >> begin >> dash >> end >> mode >> offset >> device >> inode >> name;
    if (name.starts_with("[vvar") || name == "[vsyscall]") continue;
    if (mappings == Mappings::kWritable && !mode.starts_with("rw")) continue;
    Range(scan, name.empty() ? "anonymous" : name, begin, end,
          [memory](char* into, std::size_t size, std::uint64_t at) {
            return pread(memory, into, size, static_cast<off_t>(at));
          });
  }
  if (memory >= 0) close(memory);
  return scan;
}

Scan MemoryScan::OfFile(const std::string& path) const {
  Scan scan;
  struct stat facts{};
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return scan;
  if (fstat(file, &facts) == 0) {
    Range(scan, path, 0, static_cast<std::uint64_t>(facts.st_size),
          [file](char* into, std::size_t size, std::uint64_t at) {
            return pread(file, into, size, static_cast<off_t>(at));
          });
  }
  close(file);
  return scan;
}

Scan MemoryScan::OfBytes(std::string_view bytes) const {
  Scan scan;
  Range(scan, "bytes", 0, bytes.size(), [bytes](char* into, std::size_t size, std::uint64_t at) {
    return static_cast<ssize_t>(bytes.copy(into, size, at));
  });
  return scan;
}

Stopped::Stopped(pid_t pid) : pid_(pid) {
  kill(pid_, SIGSTOP);
  // The state is the field behind the name, which is in brackets. A process that is gone has none.
  for (std::string stat = "x"; !stat.empty();) {
    stat.clear();
    std::getline(std::ifstream("/proc/" + std::to_string(pid_) + "/stat"), stat);
    const std::size_t name_end = stat.rfind(") ");
    if (name_end != std::string::npos && stat.compare(name_end + 2, 1, "T") == 0) break;
  }
}

Stopped::~Stopped() {
  kill(pid_, SIGCONT);
}

}  // namespace strongroom::fault
