#include "sidecar/supervisor/token_bucket.h"

#include <doctest/doctest.h>

#include "test/fakes/fake_clock.h"

using namespace sidecar::supervisor;
using namespace std::chrono_literals;

TEST_CASE("A bucket gives its burst at once and then its rate") {
  FakeClock clock;
  TokenBucket bucket(/*per_second=*/10, /*burst=*/3);
  for (int i = 0; i < 3; ++i) CHECK(bucket.Take(clock.Now()));
  CHECK_FALSE(bucket.Take(clock.Now()));
  CHECK(bucket.UntilNext(clock.Now()) == 100ms);
  clock.Advance(100ms);
  CHECK(bucket.UntilNext(clock.Now()) == 0ms);
  CHECK(bucket.Take(clock.Now()));
  CHECK_FALSE(bucket.Take(clock.Now()));
  clock.Advance(1h);
  for (int i = 0; i < 3; ++i) CHECK(bucket.Take(clock.Now()));
  CHECK_FALSE(bucket.Take(clock.Now()));
}
