#include <doctest/doctest.h>

#include "test/token_cache/cache_fixture.h"
#include "token_cache/access_token_cache.h"

TEST_CASE("Only a token in use is due, and only after its refresh time") {
  Fixture f;
  CHECK(f.Get(Key("used")).has_value());
  CHECK(f.Get(Key("used")).has_value());
  CHECK(f.Get(Key("asked-once")).has_value());
  CHECK(f.cache.Due().empty());
  f.clock.Advance(minutes(30));
  REQUIRE(f.cache.Due().size() == 1);
  CHECK(f.cache.Due()[0] == Key("used"));

  CHECK(f.Renew(Key("used")));
  CHECK(f.cache.Due().empty());
  f.clock.Advance(minutes(31));  // nobody asked for the new token: it is left to lapse
  CHECK(f.cache.Due().empty());
  CHECK(Text(f.Get(Key("used"))) == "token 3");
  CHECK(f.cache.Due().size() == 1);
}

TEST_CASE("While a renewal is due or under way, the old token is served at once") {
  Fixture f;
  CHECK(f.Get(Key("a")).has_value());
  f.clock.Advance(minutes(31));
  CHECK(Text(f.Get(Key("a"))) == "token 1");
  const bool renewed = f.cache.Renew(Key("a"), [&] {
    CHECK(Text(f.Get(Key("a"))) == "token 1");
    CHECK(f.cache.Due().empty());
    return f.mint();
  });
  CHECK(renewed);
  CHECK(Text(f.Get(Key("a"))) == "token 2");
}

TEST_CASE("A token outlives an outage and falls with a refusal of its grant") {
  // clang-format off
  struct Row { Reason reason; bool stands; };
  const Row rows[] = {
      {Reason::kUpstreamUnavailable,   true},
      {Reason::kUpstreamThrottled,     true},
      {Reason::kUpstreamInvalid,       true},
      {Reason::kLedgerUnavailable,     true},
      {Reason::kSealed,                true},
      {Reason::kStoreUnavailable,      true},
      {Reason::kOverloaded,            true},
      {Reason::kRestarting,            true},
      {Reason::kInternal,              true},
      {Reason::kKilled,                true},   // of the asker, not of the token
      {Reason::kBudget,                true},
      {Reason::kLoginRequired,         false},
      {Reason::kInteractionRequired,   false},
      {Reason::kConsentRequired,       false},
      {Reason::kConditionalAccess,     false},
      {Reason::kPrincipalDisabled,     false},
      {Reason::kCredentialRejected,    false},
      {Reason::kCredentialNotEnrolled, false},
      {Reason::kCredentialUnavailable, false},
      {Reason::kUpstreamRejected,      false},
      {Reason::kOverScoped,            false},
      {Reason::kMintedMismatch,        false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(broker::Describe(row.reason).name);
    Fixture f;
    CHECK(f.Get(Key("a")).has_value());
    CHECK(f.Get(Key("a")).has_value());
    f.clock.Advance(minutes(31));
    f.mint.refuse_with = row.reason;
    CHECK_FALSE(f.Renew(Key("a")));
    CHECK(f.cache.size() == (row.stands ? 1 : 0));
    CHECK(f.Get(Key("a")).has_value() == row.stands);
  }
}

TEST_CASE("Failed renewals back off, further each time, and obey Retry-After") {
  Fixture f;
  CHECK(f.Get(Key("a")).has_value());
  CHECK(f.Get(Key("a")).has_value());
  f.clock.Advance(minutes(30));
  f.mint.refuse_with = Reason::kUpstreamUnavailable;
  for (const int wait : {15, 30, 60, 120, 120}) {
    CAPTURE(wait);
    CHECK_FALSE(f.Renew(Key("a")));
    f.clock.Advance(seconds(wait - 1));
    CHECK(f.cache.Due().empty());
    f.clock.Advance(seconds(1));
    CHECK(f.cache.Due().size() == 1);
  }
  f.cache.Renew(Key("a"), []() -> MintResult {
    return std::unexpected(broker::Refusal{Reason::kUpstreamThrottled, {}, {}, seconds(300)});
  });
  f.clock.Advance(seconds(299));
  CHECK(f.cache.Due().empty());
  f.clock.Advance(seconds(1));
  CHECK(f.cache.Due().size() == 1);

  f.mint.refuse_with.reset();
  CHECK(f.Renew(Key("a")));
  CHECK(f.Get(Key("a")).has_value());
  f.clock.Advance(minutes(30));
  f.mint.refuse_with = Reason::kUpstreamUnavailable;
  CHECK_FALSE(f.Renew(Key("a")));
  f.clock.Advance(AccessTokenCache::kFirstBackoff);  // success had reset the count
  CHECK(f.cache.Due().size() == 1);
}
