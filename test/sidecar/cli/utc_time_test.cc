#include "sidecar/cli/utc_time.h"

#include <doctest/doctest.h>

using namespace sidecar::cli;

TEST_CASE("Moments are printed in UTC, as the ledger has them") {
  CHECK(UtcTime(0) == "1970-01-01T00:00:00Z");
  CHECK(UtcTime(1763641530) == "2025-11-20T12:25:30Z");
  CHECK(UtcDay(1763641530) == "2025-11-20");
}
