#include "broker/reason.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

using broker::AllReasons, broker::ReasonInfo;

TEST_CASE("Every reason has a unique name and an answer that HTTP and OAuth clients understand") {
  std::set<std::string_view> names;
  for (const ReasonInfo& info : AllReasons()) {
    CAPTURE(info.name);
    CHECK(names.insert(info.name).second);
    CHECK(info.http_status >= 400);
    CHECK(info.http_status < 600);
    CHECK(std::set<std::string_view>{"none", "wait", "login", "consent", "admin"}.contains(
        info.action));
    CHECK_FALSE(info.description.empty());
  }
}

TEST_CASE("A denial is never retried, and says so by its status") {
  for (const ReasonInfo& info : AllReasons()) {
    CAPTURE(info.name);
    // Clients retry 404, 410, 429 and 5xx by themselves; a denial must be none of these.
    if (info.error == "access_denied") CHECK(info.http_status == 403);
    const bool waits = info.error == "authorization_pending";  // nothing is denied yet
    if (info.http_status == 403) CHECK(info.retryable == waits);
    if (info.http_status == 503 || info.http_status == 429) CHECK(info.retryable);
  }
}
