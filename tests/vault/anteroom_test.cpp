#include "vault/anteroom.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>

namespace strongroom::vault {

TEST_CASE("anteroom: one at a time, until it leaves", "[anteroom]") {
  Anteroom room;
  std::promise<void> go, first, second;
  REQUIRE(room.Enter([&] {
    go.get_future().wait();
    first.set_value();
  }));
  CHECK_FALSE(room.Enter([] {}));
  go.set_value();
  first.get_future().wait();
  CHECK_FALSE(room.Enter([] {}));  // its work is done, its answer is not
  room.Leave();
  REQUIRE(room.Enter([&] { second.set_value(); }));
  second.get_future().wait();
  room.Leave();
}

TEST_CASE("anteroom: closing waits for what was begun, and takes nothing more", "[anteroom]") {
  Anteroom room;
  std::atomic<bool> done{false};
  REQUIRE(room.Enter([&] { done = true; }));
  room.Close();
  CHECK(done);
  room.Leave();
  CHECK_FALSE(room.Enter([] {}));
}

}  // namespace strongroom::vault
