#include "broker/credential_uses.h"

#include <doctest/doctest.h>

#include <vector>

#include "test/fakes/fake_clock.h"

namespace broker {
namespace {

using std::chrono::hours;
using By = Expiry::By;

struct Seen {
  FakeClock clock;
  CredentialUses uses{clock};

  Expiry In(int days, By by, std::string version) const {
    return {clock.WallNow() + hours(24 * days), by, std::move(version)};
  }
};

TEST_CASE("what ends first counts, and what was known of another secret does not") {
  struct Row {
    const char* what;
    std::vector<std::tuple<int, By, const char*>> seen;
    int days;
  };
  const std::vector<Row> rows = {
      {"the vault says earlier than the certificate",
       {{20, By::kVault, "1"}, {50, By::kCertificate, "1"}},
       20},
      {"the certificate says earlier than the vault",
       {{50, By::kVault, "1"}, {20, By::kCertificate, "1"}},
       20},
      {"the vault was told another day since", {{20, By::kVault, "1"}, {90, By::kVault, "1"}}, 90},
      {"a new version ends later", {{20, By::kCertificate, "1"}, {90, By::kCertificate, "2"}}, 90},
      {"a new version ends earlier", {{90, By::kVault, "1"}, {20, By::kCertificate, "2"}}, 20},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Seen here;
    for (const auto& [days, by, version] : row.seen) {
      here.uses.Saw("app", here.In(days, by, version));
    }
    CHECK(here.uses.Of("app").expiry->at == here.In(row.days, By::kVault, "").at);
  }
}

TEST_CASE("a new secret of which nothing is known has no end that is known") {
  Seen here;
  here.uses.Enrolled("app", here.In(20, By::kOperator, "1"));
  here.uses.Enrolled("app", std::nullopt);
  CHECK_FALSE(here.uses.Of("app").expiry.has_value());
}

TEST_CASE("the last use is told with what came of it") {
  Seen here;
  CHECK_FALSE(here.uses.Of("app").last.has_value());
  here.uses.Minted("app", "7");
  const auto minted = here.clock.WallNow();
  here.clock.Advance(hours(1));
  here.uses.Refused("app", Reason::kCredentialRejected);
  const CredentialUse use = here.uses.Of("app");
  CHECK(*use.last == here.clock.WallNow());
  CHECK(*use.refusal == Reason::kCredentialRejected);
  CHECK(*use.minted == minted);
  CHECK(use.version == "7");
  here.uses.Minted("app", "");
  CHECK_FALSE(here.uses.Of("app").refusal.has_value());
}

TEST_CASE("a restart keeps the ends, and the day of the last token, but not the last use") {
  Seen before;
  before.uses.Enrolled("app", before.In(20, By::kOperator, "1"));
  before.uses.Minted("mail", "3");
  before.uses.Refused("cert", Reason::kUpstreamUnavailable);
  const std::string kept = before.uses.Kept();
  before.clock.Advance(std::chrono::minutes(5));
  before.uses.Minted("mail", "4");
  CHECK(before.uses.Kept() == kept);  // no commit for each use

  Seen after;
  REQUIRE(after.uses.Restore(kept).has_value());
  CHECK(after.uses.Of("app").expiry == before.uses.Of("app").expiry);
  const auto minted = after.uses.Of("mail").minted;
  REQUIRE(minted.has_value());
  CHECK(*before.uses.Of("mail").minted - *minted < CredentialUses::kKeepStep);
  CHECK_FALSE(after.uses.Of("mail").last.has_value());
  CHECK_FALSE(after.uses.Of("cert").last.has_value());
}

TEST_CASE("what is known already is newer than what was kept") {
  Seen here;
  here.uses.Saw("app", here.In(90, By::kVault, "2"));
  REQUIRE(here.uses.Restore(R"({"app":{"by":2,"expires":5,"minted":5,"version":"1"}})"));
  CHECK(here.uses.Of("app").expiry->version == "2");
}

TEST_CASE("a text that is not of ours restores nothing") {
  for (const char* text :
       {"", "[]", "{", R"({"app":1})", R"({"app":{"expires":5}})", R"({"app":{"minted":-5}})",
        R"({"ok":{"minted":5},"app":{"by":3,"expires":5,"version":"1"}})",
        R"({"app":{"by":2,"expires":"5","version":"1"}})",
        R"({"app":{"by":2,"expires":5,"version":1}})"}) {
    CAPTURE(text);
    Seen here;
    CHECK_FALSE(here.uses.Restore(text).has_value());
    CHECK_FALSE(here.uses.Of("ok").minted.has_value());
  }
}

}  // namespace
}  // namespace broker
