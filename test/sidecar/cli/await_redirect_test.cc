#include "sidecar/cli/await_redirect.h"

#include <doctest/doctest.h>

#include <sstream>

using sidecar::cli::AwaitRedirect, sidecar::cli::LoopbackListener, sidecar::cli::NoRedirect;

TEST_CASE("A login that nobody finishes ends with its time") {
  std::ostringstream said;
  const auto got = AwaitRedirect(*LoopbackListener::Open(), "the-state", std::chrono::seconds(0),
                                 {"open this", said});
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error() == NoRedirect::kTimeout);
  CHECK(said.str() == "open this\n");
}
