// MemoryScan: looks for pieces of keys in what other processes have in memory, and in their core files.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace strongroom::fault {

// Scan is what was read and what was found in it.
struct Scan {
  std::size_t bytes = 0;       // read
  std::size_t unreadable = 0;  // pages that even root may not read
  std::size_t hits = 0;        // separate runs of at least kPiece bytes of a key
  // Where they lie: hits by mapping ("[heap]", a file, "anonymous"), or by file.
  std::map<std::string, std::size_t> where;
  // Surroundings is the text before each hit, at most 48 bytes, for whoever has to find out whose it is.
  std::vector<std::string> surroundings;
  std::string Text() const;
};

// MemoryScan finds every run of 16 bytes that a process shares with one of the keys, at any offset of either.
// One pass over the memory, at about the speed of reading it: a run of 16 bytes holds an aligned word of 8,
// and words are looked up in a table of the keys' own.
class MemoryScan {
 public:
  static constexpr std::size_t kPiece = 16;
  enum class Mappings : std::uint8_t { kReadable, kWritable };

  // Keys are at least kPiece bytes.
  explicit MemoryScan(std::vector<std::string> keys);

  // OfProcess reads /proc/PID/mem; `mappings` says which of its mappings. A process that runs on changes
  // while it is read: stop it for a picture of one moment.
  Scan OfProcess(pid_t pid, Mappings mappings = Mappings::kReadable) const;
  // OfFile reads a whole file, such as a core.
  Scan OfFile(const std::string& path) const;
  // OfBytes is for the scan's own test.
  Scan OfBytes(std::string_view bytes) const;

 private:
  struct Place {
    std::size_t key = 0, at = 0;
  };
  // Fetch reads into a buffer at an absolute offset and returns how much it read; 0 or less where it cannot.
  using Fetch = std::function<ssize_t(char*, std::size_t, std::uint64_t)>;
  void Range(Scan& scan, const std::string& name, std::uint64_t begin, std::uint64_t end,
             const Fetch& fetch) const;
  // Piece looks through bytes that begin at `address`, and returns where its last run ends.
  std::uint64_t Piece(Scan& scan, const std::string& name, std::string_view bytes, std::uint64_t address,
                      std::uint64_t seen_to) const;

  std::vector<std::string> keys_;
  std::multimap<std::uint64_t, Place> words_;
  std::array<bool, 1 << 16> maybe_{};  // by a hash of the word: false where no key has it
  std::size_t longest_ = 0;
};

// Stopped holds a process still for as long as it lives, at whatever moment it happened to be in.
class Stopped {
 public:
  explicit Stopped(pid_t pid);
  ~Stopped();
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;

 private:
  pid_t pid_;
};

}  // namespace strongroom::fault
