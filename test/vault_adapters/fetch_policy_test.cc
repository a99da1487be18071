#include "vault_adapters/fetch_policy.h"

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "test/fakes/fake_clock.h"
#include "test/fakes/fake_store.h"

using broker::ErrorCode, broker::Secret, broker::SecretId, broker::SecretKind, broker::VaultSecret;
using std::chrono::seconds;
using vault::FetchPolicy;

namespace {

const SecretId kApp{"app", SecretKind::kClientSecret};
const SecretId kOther{"other", SecretKind::kClientSecret};

// A vault that counts, and can hold every fetch until it is let go.
struct CountingVault final : broker::Vault {
  broker::VaultResult<VaultSecret> Fetch(const SecretId& id) override {
    ++fetches;
    if (before_answer) before_answer();
    if (fault) fault();
    auto fetched = store.Fetch(id);
    if (fetched) fetched->expires = expires;
    return fetched;
  }
  broker::VaultResult<std::string> Replace(const SecretId& id, const std::string& expected,
                                           const Secret& value) override {
    return store.Replace(id, expected, value);
  }
  FakeVault store;
  std::atomic<int> fetches = 0;
  std::function<void()> before_answer;
  void (*fault)() = nullptr;  // throws
  std::optional<broker::Clock::Wall> expires;
};

struct Policed {
  explicit Policed(seconds time_to_live) : policy(counting, clock, time_to_live) { Put("one"); }
  void Put(const std::string& text) {
    REQUIRE(counting.store.store.Put(kApp, Secret::CopyOf(text), std::nullopt).has_value());
  }
  std::string Text() {
    const auto got = policy.Fetch(kApp);
    return got ? std::string(got->value.Expose(broker::Exit::kTest))
               : "(" + got.error().detail + ")";
  }
  CountingVault counting;
  FakeClock clock;
  FetchPolicy policy;
};

constexpr seconds kEveryMint{0};
constexpr seconds kTenMinutes{600};

}  // namespace

TEST_CASE("every-mint asks each time and keeps nothing") {
  Policed t(kEveryMint);
  CHECK(t.Text() == "one");
  t.Put("two");
  CHECK(t.Text() == "two");
  CHECK(t.counting.fetches == 2);
}

TEST_CASE("memory serves a copy until its time has passed") {
  Policed t(kTenMinutes);
  CHECK(t.Text() == "one");
  t.Put("two");
  t.clock.Advance(seconds(599));
  CHECK(t.Text() == "one");
  CHECK(t.counting.fetches == 1);
  t.clock.Advance(seconds(1));
  CHECK(t.Text() == "two");
}

TEST_CASE("A copy never outlives the secret's own expiry, nor an outage its time to live") {
  Policed t(kTenMinutes);
  t.counting.expires = t.clock.WallNow() + seconds(60);
  CHECK(t.Text() == "one");
  t.clock.Advance(seconds(59));
  CHECK(t.Text() == "one");
  t.clock.Advance(seconds(1));
  t.counting.store.store.fail_with = ErrorCode::kUnavailable;
  CHECK(t.Text() == "(fake)");
  CHECK(t.counting.fetches == 2);
}

TEST_CASE("A copy whose secret expired while the machine slept serves no more, and is wiped") {
  for (const bool swept : {false, true}) {
    Policed t(kTenMinutes);
    t.counting.expires = t.clock.WallNow() + seconds(60);
    const size_t before = broker::SecretArena::used_bytes();
    CHECK(t.Text() == "one");
    t.clock.AdvanceWall(seconds(59));
    CHECK(t.Text() == "one");
    t.clock.AdvanceWall(seconds(1));
    if (swept) t.policy.Sweep();
    if (swept) CHECK(broker::SecretArena::used_bytes() == before);
    t.counting.store.store.fail_with = ErrorCode::kUnavailable;
    CHECK(t.Text() == "(fake)");
    CHECK(t.counting.fetches == 2);
  }
}

TEST_CASE("An expiry that has passed already keeps nothing") {
  Policed t(kTenMinutes);
  t.counting.expires = t.clock.WallNow() - seconds(1);
  (void)t.Text();
  (void)t.Text();
  CHECK(t.counting.fetches == 2);
}

TEST_CASE("The version that Entra refused is read again, once") {
  Policed t(kTenMinutes);
  const auto refused = t.policy.Fetch(kApp)->version;
  t.Put("two");
  for (int caller = 0; caller < 10; ++caller) t.policy.Invalidate(kApp, refused);
  CHECK(t.Text() == "two");
  for (int caller = 0; caller < 10; ++caller) {
    t.policy.Invalidate(kApp, refused);
    CHECK(t.Text() == "two");
  }
  CHECK(t.counting.fetches == 2);
  t.policy.Invalidate(kOther, refused);  // never fetched
}

TEST_CASE("What was replaced is read again") {
  Policed t(kTenMinutes);
  const auto version = t.policy.Fetch(kApp)->version;
  CHECK(t.policy.Replace(kApp, version, Secret::CopyOf("two")).has_value());
  CHECK(t.Text() == "two");
  t.Put("three");
  CHECK(t.policy.Replace(kApp, version, Secret::CopyOf("x")).error().code == ErrorCode::kConflict);
  CHECK(t.Text() == "three");
}

TEST_CASE("A failure is told to all who ask for a while, and then asked about again") {
  for (const seconds life : {kEveryMint, kTenMinutes}) {
    Policed t(life);
    t.counting.store.store.fail_with = ErrorCode::kUnavailable;
    for (int caller = 0; caller < 1000; ++caller) CHECK(t.Text() == "(fake)");
    CHECK(t.counting.fetches == 1);
    t.counting.store.store.fail_with.reset();
    t.clock.Advance(FetchPolicy::kFailurePause);
    CHECK(t.Text() == "one");
  }
}

TEST_CASE("Secrets are kept apart") {
  Policed t(kTenMinutes);
  CHECK(t.Text() == "one");
  CHECK(t.policy.Fetch(kOther).error().code == ErrorCode::kNotFound);
  CHECK(t.policy.Fetch({"app", SecretKind::kRefreshToken}).error().code == ErrorCode::kNotFound);
  CHECK(t.Text() == "one");
}

TEST_CASE("Callers at one time share one fetch, whatever comes of it") {
  for (const bool fails : {false, true}) {
    Policed t(kTenMinutes);
    if (fails) t.counting.store.store.fail_with = ErrorCode::kUnavailable;
    constexpr int kCallers = 8;
    std::latch first_asks(1);
    std::latch let_go(1);
    t.counting.before_answer = [&] {
      if (t.counting.fetches == 1) first_asks.count_down();
      let_go.wait();
    };
    std::vector<std::thread> callers;
    std::atomic<int> same = 0;
    auto call = [&] { same += t.Text() == (fails ? "(fake)" : "one") ? 1 : 0; };
    callers.emplace_back(call);
    first_asks.wait();
    std::latch started(kCallers - 1);
    for (int i = 1; i < kCallers; ++i) {
      callers.emplace_back([&] {
        started.count_down();
        call();
      });
    }
    started.wait();
    let_go.count_down();
    for (std::thread& caller : callers) caller.join();
    CHECK(same == kCallers);
    CHECK(t.counting.fetches == 1);
  }
}

TEST_CASE("Who asks after a secret was replaced does not get what was read before") {
  Policed t(kTenMinutes);
  std::latch asked(1);
  std::latch let_go(1);
  t.counting.before_answer = [&] {
    if (t.counting.fetches > 1) return;
    asked.count_down();
    let_go.wait();
  };
  std::thread early([&] { (void)t.Text(); });
  asked.wait();
  CHECK(t.policy.Replace(kApp, "1", Secret::CopyOf("two")).has_value());
  std::thread late([&] { CHECK(t.Text() == "two"); });
  let_go.count_down();
  early.join();
  late.join();
  CHECK(t.Text() == "two");
  CHECK(t.counting.fetches == 2);
}

TEST_CASE("A full arena fails the request, as any fault does, and leaves nobody waiting") {
  struct Row {
    const char* why;
    void (*fault)();
    ErrorCode want;
  };
  const Row rows[] = {
      {"the arena is full", [] { throw std::bad_alloc(); }, ErrorCode::kUnavailable},
      {"the adapter is wrong", [] { throw std::out_of_range("at"); }, ErrorCode::kCorrupt},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Policed t(kTenMinutes);
    t.counting.fault = row.fault;
    CHECK(t.policy.Fetch(kApp).error().code == row.want);
    t.counting.fault = nullptr;
    t.clock.Advance(FetchPolicy::kFailurePause);
    CHECK(t.Text() == "one");
  }
}

TEST_CASE("A sweep wipes copies whose time has passed, and those alone") {
  broker::SecretArena::used_bytes();
  Policed t(kTenMinutes);
  const size_t before = broker::SecretArena::used_bytes();
  (void)t.Text();
  const size_t kept = broker::SecretArena::used_bytes();
  CHECK(kept > before);
  t.policy.Sweep();
  CHECK(broker::SecretArena::used_bytes() == kept);
  t.clock.Advance(kTenMinutes);
  t.policy.Sweep();
  CHECK(broker::SecretArena::used_bytes() == before);
}
