// bench_secret: what a slot of the locked arena costs, against ordinary memory that is wiped before it is freed.
//   bench_secret          medians of 21 rounds
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/clock.h"
#include "bench/processes.h"
#include "vault/arena.h"
#include "vault/secret.h"

namespace strongroom::bench {
namespace {

constexpr int kRounds = 21;
constexpr int kTurns = 200'000;
constexpr std::size_t kBytes = 108;  // an Anthropic key

// NanosOf is what one turn takes, in nanoseconds.
template <typename Turn>
double NanosOf(const Turn& turn) {
  const base::Micros begun = base::MonoMicros();
  for (int i = 0; i < kTurns; ++i) turn();
  return static_cast<double>(base::MonoMicros() - begun) * 1e3 / kTurns;
}

int Run() {
  std::vector<double> slots, floors;
  for (int round = 0; round < kRounds; ++round) {
    slots.push_back(NanosOf([] {
      auto secret = vault::SecretValue::Allocate(kBytes);
      if (!secret) std::abort();
    }));
    floors.push_back(NanosOf([] {
      void* const bytes = std::malloc(kBytes);
      if (bytes == nullptr) std::abort();
      std::memset(bytes, 0, kBytes);
      explicit_bzero(bytes, kBytes);
      std::free(bytes);
    }));
  }
  const double slot = Median(slots), floor = Median(floors);
  std::printf("a slot of %zu bytes, allocated and released: %.1f ns; malloc, two wipes, free: %.1f ns; ratio %.2f\n", kBytes, slot, floor,
              slot / floor);
  return 0;
}

}  // namespace
}  // namespace strongroom::bench

int main() {
  if (!strongroom::vault::Arena::Open()) return 1;
  return strongroom::bench::Run();
}
