#include "sidecar/supervisor/backoff.h"

#include <doctest/doctest.h>

#include "test/fakes/fake_clock.h"

using namespace sidecar::supervisor;
using namespace std::chrono_literals;

TEST_CASE("A role that dies young waits twice as long each time, one that worked does not") {
  const FakeClock clock;
  auto now = clock.Now();
  Backoff backoff;
  CHECK(backoff.Died(now) == Backoff::kFirst);
  CHECK(backoff.Died(now) == Backoff::kFirst * 2);
  backoff.Started(now);
  CHECK(backoff.Died(now + Backoff::kStableAfter - 1ms) == Backoff::kFirst * 4);
  for (int i = 0; i < 20; ++i) backoff.Died(now);
  CHECK(backoff.Died(now) == Backoff::kLongest);
  backoff.Started(now);
  CHECK(backoff.Died(now) == Backoff::kLongestAfterWork);
  backoff.Started(now);
  CHECK(backoff.Died(now + Backoff::kStableAfter) == Backoff::kFirst);
}
