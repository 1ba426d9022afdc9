// A key in memory: gone from every readable page of worker and vaultd as soon as the head of its request is
// sent.
#include "tests/e2e/house.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <sstream>

namespace strongroom::e2e {

namespace {

void NotChecked(const char* why) {
  WARN("not checked: " << why);
}

struct Scan {
  std::size_t bytes = 0, hits = 0, unreadable = 0;
};

// ScanMemory reads every mapping of a process that can be read, in pieces that overlap by the needle's
// length.
Scan ScanMemory(pid_t pid, const std::string& needle) {
  Scan scan;
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  const int memory = open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
  for (std::string line; std::getline(maps, line);) {
    std::istringstream range(line);
    unsigned long long begin = 0, end = 0;
    char dash = 0;
    range >> std::hex >> begin >> dash >> end;
    if (Has(line, "[vvar") || Has(line, "[vsyscall]")) continue;
    std::string carried;
    for (unsigned long long at = begin; at < end;) {
      std::string piece(std::min<unsigned long long>(end - at, 1 << 20), '\0');
      const ssize_t got = pread(memory, piece.data(), piece.size(), static_cast<off_t>(at));
      if (got <= 0) {
        ++scan.unreadable;
        break;
      }
      piece.resize(static_cast<std::size_t>(got));
      at += static_cast<unsigned long long>(got);
      scan.bytes += piece.size();
      const std::string all = carried + piece;
      const char* at_hit = all.data();
      const char* const last = all.data() + all.size();
      while (true) {
        at_hit = static_cast<const char*>(
            memmem(at_hit, static_cast<std::size_t>(last - at_hit), needle.data(), needle.size()));
        if (at_hit == nullptr) break;
        ++scan.hits;
        ++at_hit;
      }
      carried = all.substr(all.size() - std::min(all.size(), needle.size() - 1));
    }
  }
  close(memory);
  return scan;
}

void ExpectNone(House& house, const std::string& key, const std::string& when) {
  const std::vector<std::pair<std::string, pid_t>> processes = {{"worker", house.worker().pid()},
                                                                {"vaultd", house.vaultd().pid()}};
  for (const auto& [name, pid] : processes) {
    const Scan scan = ScanMemory(pid, key.substr(7, 24));  // a part of the key is enough
    INFO(name << " " << when << ": " << scan.bytes << " bytes read, " << scan.unreadable
              << " mappings unreadable");
    CHECK(scan.bytes > 1'000'000);
    CHECK(scan.hits == 0);
  }
}

}  // namespace

TEST_CASE("memory: no copy of a key after a batch, nor while calls wait for their answers") {
  if (geteuid() != 0) return NotChecked("needs root");
  House house;
  house.Ready({{"--fault", "429:0.05,500:0.05,cut:0.03"}});
  const std::string key = house.KeyText("ACME");
  // The scan finds what is there: provider-sim knows the key it compares with.
  REQUIRE(ScanMemory(house.sim().process().pid(), key).hits >= 1);
  const Ended batch = house.Batch({"submit", house.Prompts("rows.jsonl", 200), "--customer", "ACME",
                                   "--profile", "ACME_DEFAULT", "--out", house.Path("rows.out")});
  REQUIRE(batch.code >= 0);
  ExpectNone(house, key, "after a batch");

  const std::string large(20'000, 'p');
  for (int i = 0; i < 20; ++i) house.SendRequest("w-" + std::to_string(i), "[[latency:3000]] " + large);
  REQUIRE(Eventually([&] { return house.sim().CallsOf("w-19") == 1; }));
  ExpectNone(house, key, "during calls");
  for (int i = 0; i < 20; ++i) REQUIRE(!house.AwaitReply("w-" + std::to_string(i)).empty());

  house.SendRequest("t-1", "[[fault:timeout]]", R"({"timeout_ms":700})");
  REQUIRE(Field(house.AwaitReply("t-1"), "error_code") == "TIMEOUT");
  REQUIRE(house.Act({"revoke", "ACME/anthropic/default/1"}).code == 0);
  ExpectNone(house, key, "after a timeout and a revocation");
}

}  // namespace strongroom::e2e
