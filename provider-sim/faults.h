// What goes wrong on purpose: by rate, by list, or because the prompt asks for it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace strongroom::sim {

enum class Fault : std::uint8_t {
  kNone,
  k429,
  k429Quota,
  k401,
  k403,
  k500,
  k502,
  k503,
  k504,
  k529,
  kTimeout,
  kSlow,
  kCut,
  kCutMid,
  kMalformed,
  kHtml,
  kEcho,
  kEchoAside,
  kEchoHeader,
  kEcho400,
  kEcho401,
  kEcho302,
  kEchoCut,
};

// FaultByName reads "429", "timeout" and so on; nothing for any other word. FaultName is its inverse.
std::optional<Fault> FaultByName(std::string_view name);
std::string_view FaultName(Fault fault);
// FaultHelp lists every fault with its meaning, a line each, for --help.
std::string FaultHelp();

// Sighting says which call this is: the nth of its identity, and the number of all calls so far. Both from 1.
struct Sighting {
  std::uint64_t nth = 1;
  std::uint64_t number = 1;
};

// FaultPlan holds what --fault, --fault-list and --seed say.
class FaultPlan {
 public:
  // Make reads rates ("429:0.1,timeout:0.01", at most 1 in all) and list lines ("nth fault", # comments).
  // kInvalidArgument for anything else, with the line of the list.
  static Result<FaultPlan> Make(std::string_view rates, std::string_view list, std::uint64_t seed);

  // Choose decides one call's fault. The prompt's directive wins over the list, the list over the rates; by
  // rate it depends on seed, identity and nth alone, so that a run can be repeated.
  Fault Choose(std::string_view identity, const Sighting& sighting, std::string_view prompt) const;

 private:
  struct Rate {
    Fault fault;
    double up_to;  // cumulative
  };
  Fault ByRate(std::string_view identity, std::uint64_t nth) const;

  std::vector<Rate> rates_;
  std::map<std::uint64_t, Fault> list_;
  std::uint64_t seed_ = 1;
};

// DirectedFault reads the prompt's [[fault:NAME]] (always) and [[fault:NAMExN]] (N sightings) directives;
// several take turns in their order. Empty where none applies any more to this sighting.
std::optional<Fault> DirectedFault(std::string_view prompt, std::uint64_t nth);

// DirectedLatency reads the prompt's [[latency:MS]], at most 120,000.
std::optional<int> DirectedLatency(std::string_view prompt);

}  // namespace strongroom::sim
