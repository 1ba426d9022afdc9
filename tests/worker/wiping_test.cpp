#include "worker/wiping.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <string>

namespace strongroom::worker {

TEST_CASE("wiping: a block that grows and shrinks keeps its content", "[transport]") {
  auto* block = static_cast<char*>(WipingRealloc(nullptr, 10));
  REQUIRE(block != nullptr);
  memcpy(block, "0123456789", 10);
  for (const std::size_t size : {11UL, 24UL, 25UL, 4'000UL, 300'000UL, 299'999UL, 5'000UL, 10UL}) {
    block = static_cast<char*>(WipingRealloc(block, size));
    REQUIRE(block != nullptr);
    REQUIRE(std::string(block, 10) == "0123456789");
    block[size - 1] = '9';
  }
  block = static_cast<char*>(WipingRealloc(block, 3));
  REQUIRE(std::string(block, 3) == "012");
  WipeAndFree(block);
  WipeAndFree(nullptr);
}

}  // namespace strongroom::worker
