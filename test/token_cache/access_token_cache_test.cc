#include "token_cache/access_token_cache.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <latch>
#include <new>
#include <thread>
#include <vector>

#include "test/fakes/fake_clock.h"

using broker::AccessToken, broker::MintResult, broker::Reason, broker::Refuse, broker::SharedToken,
    broker::TokenKey;
using std::chrono::seconds, std::chrono::minutes;
using token_cache::AccessTokenCache;

namespace {

TokenKey Key(const std::string& credential, const std::string& scope = "Mail.Read") {
  return {.credential = credential, .resource = "https://graph.microsoft.com", .scopes = {scope}};
}

/// Mints tokens of one hour, due after half of it, and counts.
struct Mint {
  explicit Mint(FakeClock& the_clock) : clock(the_clock) {}
  MintResult operator()() {
    ++calls;
    if (refuse_with) return Refuse(*refuse_with);
    auto token = std::make_shared<AccessToken>();
    token->value = broker::Secret::CopyOf("token " + std::to_string(calls) + padding);
    token->minted_at = clock.Now();
    token->refresh_at = clock.Now() + minutes(30);
    token->expires_at = clock.Now() + minutes(60);
    return token;
  }
  FakeClock& clock;
  std::atomic<int> calls{0};
  std::optional<Reason> refuse_with;
  std::string padding;
};

struct Fixture {
  FakeClock clock;
  AccessTokenCache cache{clock};
  Mint mint{clock};
  MintResult Get(const TokenKey& key, seconds min_validity = seconds(0)) {
    return cache.GetOrMint(key, min_validity, std::ref(mint));
  }
  bool Renew(const TokenKey& key) { return cache.Renew(key, std::ref(mint)); }
};

std::string Text(const MintResult& result) {
  if (!result) return std::string(broker::Describe(result.error().reason).name);
  return std::string((*result)->value.Expose(broker::Exit::kTest));
}

}  // namespace

TEST_CASE("What is found without waiting is a token that serves, and it counts as used") {
  Fixture f;
  CHECK(f.cache.Find(Key("a"), seconds(0)) == nullptr);
  CHECK(f.mint.calls == 0);
  const auto minted = f.Get(Key("a"));
  CHECK(f.cache.Find(Key("b"), seconds(0)) == nullptr);
  CHECK(f.cache.Find(Key("a"), minutes(60)) == *minted);
  f.clock.Advance(minutes(30));
  CHECK(f.cache.Find(Key("a"), minutes(31)) == nullptr);
  CHECK(f.cache.Due() == std::vector{Key("a")});
  CHECK(f.cache.Find(Key("a"), minutes(30)) == *minted);
  f.clock.Advance(minutes(30));
  CHECK(f.cache.Find(Key("a"), seconds(0)) == nullptr);
  f.cache.Evict("a");
  CHECK(f.cache.Find(Key("a"), seconds(0)) == nullptr);
}

TEST_CASE("A token is minted once, and again when too little of its life is left") {
  Fixture f;
  CHECK(Text(f.Get(Key("a"))) == "token 1");
  CHECK(Text(f.Get(Key("a"))) == "token 1");
  f.clock.Advance(minutes(50));
  CHECK(Text(f.Get(Key("a"), minutes(10))) == "token 1");
  CHECK(Text(f.Get(Key("a"), minutes(11))) == "token 2");
  f.clock.Advance(minutes(60));
  CHECK(Text(f.Get(Key("a"))) == "token 3");  // expired to the second
}

TEST_CASE("Each part of the key makes another token") {
  Fixture f;
  TokenKey resource = Key("a"), claims = Key("a"), user = Key("a");
  resource.resource = "https://vault.azure.net";
  claims.claims = R"({"access_token":{}})";
  user.user = "oid";
  for (const TokenKey& key : {Key("a"), Key("b"), Key("a", "Mail.Send"), resource, claims, user})
    CHECK(f.Get(key).has_value());
  CHECK(f.mint.calls == 6);
}

TEST_CASE("A token whose whole life is shorter than asked for does not hammer Entra") {
  Fixture f;
  CHECK(Text(f.Get(Key("a"), minutes(90))) == "token 1");
  CHECK(Text(f.Get(Key("a"), minutes(90))) == "token 1");
  f.clock.Advance(AccessTokenCache::kFresh);
  CHECK(Text(f.Get(Key("a"), minutes(90))) == "token 2");
}

TEST_CASE("A refusal is not kept") {
  Fixture f;
  f.mint.refuse_with = Reason::kUpstreamUnavailable;
  CHECK(Text(f.Get(Key("a"))) == "upstream_unavailable");
  CHECK(Text(f.Get(Key("a"))) == "upstream_unavailable");
  CHECK(f.mint.calls == 2);
  f.mint.refuse_with.reset();
  CHECK(Text(f.Get(Key("a"))) == "token 3");
}

TEST_CASE("A mint that throws is a refusal, and the key is usable afterwards") {
  Fixture f;
  const auto full =
      f.cache.GetOrMint(Key("a"), seconds(0), []() -> MintResult { throw std::bad_alloc(); });
  CHECK(Text(full) == "overloaded");
  const auto odd = f.cache.GetOrMint(Key("a"), seconds(0), []() -> MintResult { throw 7; });
  CHECK(Text(odd) == "internal");
  const auto none = f.cache.GetOrMint(Key("a"), seconds(0), []() -> MintResult { return nullptr; });
  CHECK(Text(none) == "internal");
  CHECK(Text(f.Get(Key("a"))) == "token 1");
}

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

TEST_CASE("Evict drops every token of the credential and no other") {
  Fixture f;
  CHECK(f.Get(Key("a", "Mail.Read")).has_value());
  CHECK(f.Get(Key("a", "Mail.Send")).has_value());
  CHECK(f.Get(Key("b")).has_value());
  f.cache.Evict("a");
  CHECK(f.cache.size() == 1);
  CHECK(Text(f.Get(Key("b"))) == "token 3");
  CHECK(Text(f.Get(Key("a"))) == "token 4");
}

TEST_CASE("A mint that was under way when its credential was evicted leaves nothing behind") {
  Fixture f;
  const auto stale = f.cache.GetOrMint(Key("a"), seconds(0), [&] {
    f.cache.Evict("a");
    CHECK(Text(f.Get(Key("a"))) == "token 1");  // does not wait for the evicted one
    return f.mint();
  });
  CHECK(Text(stale) == "token 2");
  CHECK(Text(f.Get(Key("a"))) == "token 1");
  f.cache.Evict("a");
  CHECK(f.Renew(Key("a")));  // nothing to renew
  CHECK(f.mint.calls == 2);
}

TEST_CASE("Expired tokens are wiped") {
  Fixture f;
  const size_t before = broker::SecretArena::used_bytes();
  CHECK(f.Get(Key("a")).has_value());
  CHECK(f.Get(Key("b")).has_value());
  CHECK(broker::SecretArena::used_bytes() > before);
  CHECK(f.cache.SweepExpired() == 0);
  f.clock.Advance(minutes(60));
  CHECK(f.cache.SweepExpired() == 2);
  CHECK(f.cache.size() == 0);
  CHECK(broker::SecretArena::used_bytes() == before);
}

TEST_CASE("The least recently used token makes room, by number and by bytes") {
  FakeClock clock;
  Mint mint(clock);
  mint.padding = std::string(93, 'p');  // 100 bytes each
  for (const AccessTokenCache::Limits limits :
       {AccessTokenCache::Limits{.tokens = 3}, AccessTokenCache::Limits{.bytes = 300}}) {
    AccessTokenCache cache(clock, limits);
    mint.calls = 0;
    const auto get = [&](const char* name) {
      return Text(cache.GetOrMint(Key(name), seconds(0), std::ref(mint))).substr(0, 7);
    };
    for (const char* name : {"a", "b", "c", "a", "d"}) get(name);
    CHECK(cache.size() == 3);
    CHECK(get("a") == "token 1");
    CHECK(get("c") == "token 3");
    CHECK(get("d") == "token 4");
    CHECK(get("b") == "token 5");
  }
}

TEST_CASE("Many callers of one key share one mint") {
  Fixture f;
  constexpr int kCallers = 8;
  std::promise<void> release;
  std::latch started(kCallers);
  std::vector<std::future<std::string>> answers;
  answers.reserve(kCallers);
  const auto slow = [&]() -> MintResult {
    release.get_future().wait();
    return f.mint();
  };
  for (int i = 0; i < kCallers; ++i) {
    answers.push_back(std::async(std::launch::async, [&] {
      started.count_down();
      return Text(f.cache.GetOrMint(Key("a"), seconds(0), slow));
    }));
  }
  started.wait();
  CHECK(Text(f.Get(Key("other"))) == "token 1");  // another key is not held up
  release.set_value();
  for (auto& answer : answers) CHECK(answer.get() == "token 2");
}

TEST_CASE("Waiters share a refusal of the grant, and not one of the first asker") {
  for (const Reason reason : {Reason::kLoginRequired, Reason::kKilled}) {
    CAPTURE(broker::Describe(reason).name);
    Fixture f;
    std::promise<void> minting, release;
    auto first = std::async(std::launch::async, [&] {
      return Text(f.cache.GetOrMint(Key("a"), seconds(0), [&]() -> MintResult {
        minting.set_value();
        release.get_future().wait();
        return Refuse(reason);
      }));
    });
    minting.get_future().wait();
    std::latch asking(1);
    auto second = std::async(std::launch::async, [&] {
      asking.count_down();
      return Text(f.Get(Key("a")));
    });
    asking.wait();
    release.set_value();
    CHECK(first.get() == broker::Describe(reason).name);
    // The second may come too late to wait; then it mints in either case.
    const std::string got = second.get();
    if (reason == Reason::kKilled) CHECK(got == "token 1");
    if (reason == Reason::kLoginRequired) CHECK((got == "login_required" || got == "token 1"));
  }
}

TEST_CASE("WaitDue wakes for what becomes due, sweeps, and stops when told") {
  Fixture f;
  CHECK(f.Get(Key("a")).has_value());
  CHECK(f.Get(Key("lapses")).has_value());
  f.clock.Advance(minutes(31));
  std::stop_source stop;
  auto waiting = std::async(std::launch::async, [&] { return f.cache.WaitDue(stop.get_token()); });
  CHECK(f.Get(Key("a")).has_value());  // the first use after the mint: now it is due
  CHECK(waiting.get() == std::vector{Key("a")});

  CHECK(f.Renew(Key("a")));
  f.clock.Advance(minutes(30));
  waiting = std::async(std::launch::async, [&] { return f.cache.WaitDue(stop.get_token()); });
  CHECK(f.Get(Key("a")).has_value());
  CHECK(waiting.get() == std::vector{Key("a")});
  CHECK(f.cache.size() == 1);  // the other one lapsed and was swept

  CHECK(f.Renew(Key("a")));
  waiting = std::async(std::launch::async, [&] { return f.cache.WaitDue(stop.get_token()); });
  stop.request_stop();
  CHECK(waiting.get().empty());
}

TEST_CASE("Callers, renewals, evictions and sweeps at once leave the cache whole") {
  FakeClock clock;
  AccessTokenCache cache(clock, {.tokens = 4});
  Mint mint(clock);
  std::stop_source stop;
  std::thread renewer([&] {
    while (!stop.stop_requested()) {
      for (const TokenKey& key : cache.WaitDue(stop.get_token()))
        cache.Renew(key, [&] {
          Mint own(clock);
          return own();
        });
    }
  });
  std::atomic<int> faults{0};
  std::vector<std::thread> callers;
  callers.reserve(4);
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        const std::string name(1, static_cast<char>('a' + (i + t) % 6));
        const auto got = cache.GetOrMint(Key(name), seconds(i % 100), [&]() -> MintResult {
          if (i % 17 == 0) return Refuse(Reason::kUpstreamUnavailable);
          Mint own(clock);
          return own();
        });
        if (got && (*got)->value.empty()) ++faults;
        if (i % 50 == 0) cache.Evict(name);
        if (i % 20 == 0) clock.Advance(minutes(7));
        if (i % 30 == 0) cache.SweepExpired();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  stop.request_stop();
  renewer.join();
  CHECK(faults == 0);
  CHECK(cache.size() <= 4);
}
