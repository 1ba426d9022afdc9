#include "audit/turn_queue.h"

#include <catch2/catch.hpp>

namespace strongroom::audit {
namespace {

void Push(TurnQueue& queue, std::uint64_t turn, int count, bool alone = false) {
  for (int i = 0; i < count; ++i) {
    Job job;
    job.turn = turn;
    job.alone = alone;
    queue.Push(std::move(job));
  }
}

std::vector<std::uint64_t> Turns(const std::vector<Job>& jobs) {
  std::vector<std::uint64_t> turns;
  for (const Job& job : jobs) turns.push_back(job.turn);
  return turns;
}

}  // namespace

TEST_CASE("turns rotate: a flood of one delays nobody else") {
  TurnQueue queue;
  Push(queue, 7, 1000);
  Push(queue, 8, 2);
  Push(queue, 9, 1);
  CHECK(Turns(queue.Take(5)) == std::vector<std::uint64_t>{7, 8, 9, 7, 8});
  Push(queue, 9, 1);
  CHECK(Turns(queue.Take(3)) == std::vector<std::uint64_t>{7, 9, 7});
  CHECK(queue.size() == 1004 - 8);
  while (!queue.empty()) CHECK_FALSE(queue.Take(256).empty());
  CHECK(queue.Take(1).empty());
}

TEST_CASE("an alone job gets a group of its own, and waits for one group at most") {
  TurnQueue queue;
  Push(queue, 1, 3);
  Push(queue, 2, 1, true);
  CHECK(Turns(queue.Take(10)) == std::vector<std::uint64_t>{1});
  const auto alone = queue.Take(10);
  REQUIRE(alone.size() == 1);
  CHECK(alone[0].alone);
  CHECK(Turns(queue.Take(10)) == std::vector<std::uint64_t>{1, 1});
}

}  // namespace strongroom::audit
