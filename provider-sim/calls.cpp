#include "provider-sim/calls.h"

#include "base/bytes.h"
#include "base/log.h"
#include "provider-sim/digest.h"

namespace strongroom::sim {
namespace {

template <typename Counts>
std::string CountsJson(const Counts& counts) {
  std::string out = "{";
  for (const auto& [name, count] : counts) {
    if (out.size() > 1) out += ',';
    base::AppendJsonString(out, name);
    out += ':' + std::to_string(count);
  }
  return out + "}";
}

}  // namespace

std::string CallIdentity(const Head& head, std::string_view prompt) {
  if (const auto id = head.Find("x-request-id"); id && !id->empty()) return std::string(*id);
  const Digest digest = Sha256(prompt);
  return base::Hex({digest.data(), 16});
}

Sighting Calls::See(const std::string& identity) {
  Sighting sighting;
  sighting.nth = ++seen_[identity];
  sighting.number = ++calls_;
  return sighting;
}

void Calls::Answered(std::string_view outcome) {
  const auto found = outcomes_.find(outcome);
  if (found != outcomes_.end()) {
    ++found->second;
    return;
  }
  outcomes_.emplace(outcome, 1);
}

void Calls::Reset() {
  *this = Calls();
}

std::string Calls::CallsJson() const {
  return CountsJson(seen_);
}

std::string Calls::StatsJson() const {
  return R"({"calls":)" + std::to_string(calls_) + R"(,"by_status":)" + CountsJson(outcomes_) +
         R"(,"connections":)" + std::to_string(connections_) + R"(,"tls_handshakes":)" +
         std::to_string(handshakes_) + "}";
}

}  // namespace strongroom::sim
