#include "vault/lease.h"

#include <catch2/catch.hpp>

namespace strongroom::vault {
namespace {

TEST_CASE("lease: none is held before it was granted, nor after it was dropped", "[lease]") {
  Lease lease;
  CHECK_FALSE(lease.Holds(base::MonoMicros()));
  lease.Renew(base::MonoMicros());
  CHECK(lease.Holds(base::MonoMicros()));
  lease.Drop();
  CHECK_FALSE(lease.Holds(base::MonoMicros()));
}

TEST_CASE("lease: it lasts its length from when it was asked for, not from when it was granted", "[lease]") {
  Lease lease;
  lease.Renew(base::MonoMicros() - Lease::kLength);
  CHECK_FALSE(lease.Holds(base::MonoMicros()));
  lease.Renew(base::MonoMicros() - Lease::kLength + 60 * base::kMicrosPerSecond);
  CHECK(lease.Holds(base::MonoMicros()));
}

TEST_CASE("lease: what was decided longer ago than a lease lasts is not opened, whatever is held", "[lease]") {
  Lease lease;
  lease.HoldForGood();
  CHECK(lease.Holds(base::MonoMicros()));
  CHECK_FALSE(lease.Holds(base::MonoMicros() - Lease::kLength));
}

}  // namespace
}  // namespace strongroom::vault
