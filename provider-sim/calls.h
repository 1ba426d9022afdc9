// What the simulator has seen: each call by its identity, answers by status, connections.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "provider-sim/faults.h"
#include "provider-sim/http.h"

namespace strongroom::sim {

// CallIdentity is the x-request-id header where there is one, else the first 16 bytes of the prompt's
// SHA-256, in hex.
std::string CallIdentity(const Head& head, std::string_view prompt);

// Calls counts. It is used by one thread.
class Calls {
 public:
  // See counts one more call of this identity.
  Sighting See(const std::string& identity);
  // Answered counts an outcome: a status ("200") or what happened instead ("timeout", "cut").
  void Answered(std::string_view outcome);
  void Connected() { ++connections_; }
  void Shook() { ++handshakes_; }
  void Reset();

  // CallsJson is the object of GET /sim/calls; StatsJson that of GET /sim/stats.
  std::string CallsJson() const;
  std::string StatsJson() const;

 private:
  std::unordered_map<std::string, std::uint64_t> seen_;
  std::map<std::string, std::uint64_t, std::less<>> outcomes_;
  std::uint64_t calls_ = 0;
  std::uint64_t connections_ = 0;
  std::uint64_t handshakes_ = 0;
};

}  // namespace strongroom::sim
