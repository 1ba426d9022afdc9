// The scan finds what is there, every piece of it, and nothing else.
#include "tests/fault/memory_scan.h"

#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>

namespace strongroom::fault {

namespace {

const std::string kKey = "sk-ant-api03-0f1e2d3c4b5a69780123a5b4c3d2e1f0-9Z8y7X6w5V4u3T2s1R0q";
const std::string kOther = "sk-proj-QwErTyUiOpAsDfGhJkLzXcVbNm1234567890";

}  // namespace

TEST_CASE("memory scan: every 16-byte piece of a key is found at every offset") {
  const MemoryScan scan({kKey, kOther});
  for (const std::string& key : {kKey, kOther}) {
    for (std::size_t from = 0; from + 16 <= key.size(); ++from) {
      for (std::size_t offset = 0; offset < 9; ++offset) {
        std::string memory(200, '\x11');
        memory.replace(64 + offset, 16, key.substr(from, 16));
        CAPTURE(from, offset);
        REQUIRE(scan.OfBytes(memory).hits == 1);
        // Fifteen of them are no hit.
        memory[64 + offset + from % 16] = '\x11';
        REQUIRE(scan.OfBytes(memory).hits == 0);
      }
    }
  }
}

TEST_CASE("memory scan: pieces at the edges of a read count once, and two copies twice") {
  const MemoryScan scan({kKey});
  constexpr std::size_t kRead = 1 << 20;
  for (std::size_t before = 0; before <= kKey.size(); ++before) {
    std::string memory(2 * kRead, 'z');
    memory.replace(kRead - before, kKey.size(), kKey);
    CAPTURE(before);
    REQUIRE(scan.OfBytes(memory).hits == 1);
  }
  CHECK(scan.OfBytes(kKey + kKey).hits == 2);
  CHECK(scan.OfBytes(kKey.substr(1) + "/" + kKey.substr(0, 20)).hits == 2);
  CHECK(scan.OfBytes(kOther + std::string(kKey.rbegin(), kKey.rend())).hits == 0);
  CHECK(scan.OfBytes("").hits == 0);
}

TEST_CASE("memory scan: of a process, by the mapping's name, and of a file") {
  constexpr std::size_t kSize = 3 << 20;
  const int memory = memfd_create("planted", MFD_CLOEXEC);
  REQUIRE(memory >= 0);
  REQUIRE(ftruncate(memory, kSize) == 0);
  void* const mapped = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  REQUIRE(mapped != MAP_FAILED);
  const MemoryScan scan({kKey, kOther});
  REQUIRE_FALSE(scan.OfProcess(getpid()).where.contains("/memfd:planted"));
  memcpy(static_cast<char*>(mapped) + (2 << 20) - 5, kOther.data() + 3, 17);
  CHECK(scan.OfProcess(getpid()).where["/memfd:planted"] == 1);
  const Scan found = scan.OfProcess(getpid(), MemoryScan::Mappings::kWritable);
  CHECK(found.where.at("/memfd:planted") == 1);
  CHECK(found.bytes > kSize);
  munmap(mapped, kSize);
  close(memory);

  std::string path = "/tmp/strongroom-scan-XXXXXX";
  const int file = mkstemp(path.data());
  REQUIRE(file >= 0);
  const std::string text = std::string(5000, 'x') + kKey.substr(3, 17);
  CHECK(write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  CHECK(scan.OfFile(path).hits == 1);
  CHECK(scan.OfFile(path).bytes == text.size());
  close(file);
  unlink(path.c_str());
}

}  // namespace strongroom::fault
