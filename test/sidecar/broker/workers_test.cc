#include "sidecar/broker/workers.h"

#include <doctest/doctest.h>

#include <atomic>
#include <latch>

using sidecar::broker_role::Workers;

TEST_CASE("Jobs that wait for each other all run") {
  constexpr int kJobs = 20;
  std::atomic<int> done = 0;
  {
    Workers workers(kJobs);
    std::latch all(kJobs);
    for (int i = 0; i < kJobs; ++i) {
      REQUIRE(workers.Start([&] {
        all.arrive_and_wait();
        ++done;
      }));
    }
    all.wait();
  }
  CHECK(done == kJobs);
}

TEST_CASE("Above the limit a job is refused, and run once there is room") {
  Workers workers(1);
  std::latch may_end(1);
  REQUIRE(workers.Start([&] { may_end.wait(); }));
  bool ran = false;
  CHECK_FALSE(workers.Start([&] { ran = true; }));
  CHECK_FALSE(ran);
  may_end.count_down();
  std::latch later(1);
  while (!workers.Start([&] { later.count_down(); })) {
  }
  later.wait();
}
