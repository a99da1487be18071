#include "sidecar/dialer/connection_count.h"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "test/fakes/fake_ledger.h"

using namespace std::chrono_literals;
using sidecar::dialer::ConnectionCount, sidecar::dialer::HostPort;

namespace {

const HostPort kLogin{"login.example", 443};
const HostPort kGraph{"graph.example", 443};
constexpr ConnectionCount::Time kStart{1h};

int64_t CountIn(const broker::ledger::Entry& entry) {
  return std::get<int64_t>(entry.change.at("count"));
}

}  // namespace

TEST_CASE("the first connection to a host is in the ledger before it is made") {
  FakeLedger ledger;
  ConnectionCount count(ledger);
  REQUIRE(count.Add(kLogin, kStart));
  REQUIRE(ledger.entries.size() == 1);
  CHECK(ledger.entries[0].type == broker::ledger::EntryType::kConnectionOpened);
  CHECK(ledger.entries[0].upstream_host == "login.example");
  CHECK(std::get<int64_t>(ledger.entries[0].change.at("port")) == 443);
  CHECK(CountIn(ledger.entries[0]) == 1);
}

TEST_CASE("those that follow within a minute become one entry") {
  FakeLedger ledger;
  ConnectionCount count(ledger);
  for (int i = 0; i < 7; ++i) REQUIRE(count.Add(kLogin, kStart + i * 1s));
  CHECK(ledger.entries.size() == 1);
  CHECK(count.NextFlush() == kStart + 60s);

  SUBCASE("at the end of the minute") {
    REQUIRE(count.Flush(kStart + 59s));
    CHECK(ledger.entries.size() == 1);
    REQUIRE(count.Flush(kStart + 60s));
    REQUIRE(ledger.entries.size() == 2);
    CHECK(CountIn(ledger.entries[1]) == 6);
    CHECK(count.NextFlush() == ConnectionCount::Time::max());
  }
  SUBCASE("with the first of the next minute") {
    REQUIRE(count.Add(kLogin, kStart + 61s));
    REQUIRE(ledger.entries.size() == 2);
    CHECK(CountIn(ledger.entries[1]) == 7);
  }
  SUBCASE("on stop") {
    REQUIRE(count.Flush(kStart + 8s, /*all=*/true));
    REQUIRE(ledger.entries.size() == 2);
    CHECK(CountIn(ledger.entries[1]) == 6);
  }
}

TEST_CASE("each host has its own entry") {
  FakeLedger ledger;
  ConnectionCount count(ledger);
  REQUIRE(count.Add(kLogin, kStart));
  REQUIRE(count.Add(kGraph, kStart));
  REQUIRE(count.Add({"login.example", 8443}, kStart));
  CHECK(ledger.entries.size() == 3);
}

TEST_CASE("without an entry there is no connection, and nothing is forgotten") {
  FakeLedger ledger;
  ConnectionCount count(ledger);
  REQUIRE(count.Add(kLogin, kStart));
  REQUIRE(count.Add(kLogin, kStart + 1s));
  ledger.fail_with = broker::ErrorCode::kUnavailable;
  CHECK_FALSE(count.Add(kGraph, kStart + 1s));   // never seen before
  CHECK_FALSE(count.Add(kLogin, kStart + 60s));  // a new minute
  CHECK_FALSE(count.Flush(kStart + 60s));
  CHECK_FALSE(count.Flush(kStart + 60s, true));

  ledger.fail_with.reset();
  REQUIRE(count.Add(kLogin, kStart + 70s));
  REQUIRE(ledger.entries.size() == 2);
  CHECK(CountIn(ledger.entries[1]) == 2);  // one counted before, one now; refused ones not
}

TEST_CASE("a flood is written before its minute is over") {
  FakeLedger ledger;
  ConnectionCount count(ledger);
  for (int64_t i = 0; i < ConnectionCount::kMaxUnwritten + 2; ++i) {
    REQUIRE(count.Add(kLogin, kStart));
  }
  REQUIRE(ledger.entries.size() == 2);
  CHECK(CountIn(ledger.entries[1]) == ConnectionCount::kMaxUnwritten + 1);
}

TEST_CASE("no connection is lost between threads") {
  FakeLedger ledger;
  ConnectionCount count(ledger);
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&count] {
        for (int i = 0; i < 500; ++i) {
          if (!count.Add(i % 2 == 0 ? kLogin : kGraph, kStart + i * 1s)) return;
          if (i % 50 == 0 && !count.Flush(kStart + i * 1s)) return;
        }
      });
    }
  }
  REQUIRE(count.Flush(kStart, true));
  int64_t sum = 0;
  for (const auto& entry : ledger.entries) sum += CountIn(entry);
  CHECK(sum == 2000);
}
