#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <latch>
#include <thread>
#include <vector>

#include "test/token_cache/cache_fixture.h"
#include "token_cache/access_token_cache.h"

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
  for (const Reason reason :
       {Reason::kLoginRequired, Reason::kKilled, Reason::kInternal, Reason::kOverloaded}) {
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
    if (reason != Reason::kLoginRequired) CHECK(got == "token 1");
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
