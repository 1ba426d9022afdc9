// The simulator without its sockets: a request in, a reply and how to deliver it out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "provider-sim/calls.h"
#include "provider-sim/faults.h"
#include "provider-sim/http.h"
#include "provider-sim/keys.h"
#include "provider-sim/provider.h"

namespace strongroom::sim {

// Delivery is what happens to a reply on the wire.
enum class Delivery : std::uint8_t { kWhole, kHalf, kHead, kCut, kSilence };  // kHead: all but the end of the head

struct Reply {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string headers;  // whole lines, each ending in CRLF
  std::string body;
  Delivery delivery = Delivery::kWhole;
  int delay_ms = 0;
};

// SimulatorOptions are the flags that decide answers.
struct SimulatorOptions {
  int latency_ms = 0;
  std::string fault_rates;
  std::string fault_list_path;
  std::uint64_t seed = 1;
  std::string valid_key_path;
};

// Simulator answers requests, one after the other, on one thread.
class Simulator {
 public:
  // Make reads the files that the options name. kInvalidArgument, kNotFound.
  static Result<Simulator> Make(const SimulatorOptions& options);

  // Answer decides everything about one whole request.
  Reply Answer(const Head& head, std::string_view body);
  // TooLarge is the 413 to a head whose body_length exceeds kMaxBody.
  Reply TooLarge(const Head& head);

  Calls& calls() { return calls_; }

 private:
  Simulator(int latency_ms, FaultPlan faults, KeyList keys);
  Reply Probe(const Provider& provider, const Head& head, std::string_view model);
  Reply ModelCall(const Provider& provider, const Head& head, std::string_view json);
  Reply Faulty(const Provider& provider, const Head& head, const Body& body, Fault fault);
  Reply Succeed(const Provider& provider, const Body& body, std::string_view text_override);
  Reply Refuse(const Provider& provider, const ApiError& error);
  void AddRequestId(const Provider& provider, Reply& reply);
  std::string NextRequestId();

  int latency_ms_;
  FaultPlan faults_;
  KeyList keys_;
  Calls calls_;
  std::uint64_t request_number_ = 0;
};

}  // namespace strongroom::sim
