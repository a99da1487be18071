#include "sidecar/supervisor/findings.h"

#include <doctest/doctest.h>

using namespace sidecar::supervisor;

TEST_CASE("Findings are understood whole or not at all") {
  CHECK(ParseFindings("[]")->empty());
  const auto one = ParseFindings(R"([{"name":"n","what":"w","remedy":"r"}])");
  REQUIRE(one.has_value());
  CHECK(one->front() == Finding{"n", "w", "r"});
  for (const char* text :
       {"", "{}", "null", "[1]", R"([{"name":"n"}])", R"([{"name":"n","what":"w","remedy":1}])",
        R"([{"name":"n","what":"w","remedy":"r","more":""}])", "[] []"}) {
    CAPTURE(std::string(text));
    CHECK_FALSE(ParseFindings(text).has_value());
  }
}
