// Requests that wait, and whom a stop refuses among them.
#include "broker/waiting_requests.h"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>

using broker::Reason, broker::Refusal, broker::WaitingRequests;

namespace {

const Refusal kKilled{Reason::kKilled, {}, {}, {}};

}  // namespace

TEST_CASE("A stop refuses whoever waits for a token of its agent, and nobody else") {
  struct Row {
    const char* why;
    const char* stopped;
    bool claimed;
    bool refused;
  };
  const Row rows[] = {
      {"its agent is stopped", "helpdesk", false, true},
      {"all agents are", "", false, true},
      {"another agent is", "billing", false, false},
      {"it has its token already", "helpdesk", true, false},
      {"all agents are, and it has its token already", "", true, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    WaitingRequests waiting;
    int refusals = 0;
    const auto request = waiting.Add("helpdesk", [&](const Refusal& refusal) {
      CHECK(refusal.reason == Reason::kKilled);
      ++refusals;
    });
    if (row.claimed) CHECK(request->Claim());
    waiting.RefuseAll(row.stopped, kKilled);
    waiting.RefuseAll(row.stopped, kKilled);
    CHECK(refusals == (row.refused ? 1 : 0));
    CHECK(request->Claim() == (!row.refused && !row.claimed));
  }
}

TEST_CASE("A request that was let go of is refused no more") {
  WaitingRequests waiting;
  int refusals = 0;
  waiting.Add("helpdesk", [&](const Refusal&) { ++refusals; }).reset();
  waiting.RefuseAll("", kKilled);
  CHECK(refusals == 0);
}

// A stop that meets a request at its end may be the last to let go of it.
TEST_CASE("A stop of one agent does not stand still over another's requests that end meanwhile") {
  constexpr int kRequests = 200;
  WaitingRequests waiting;
  std::atomic<int> refusals = 0;
  std::atomic<int> stops = 0;
  std::atomic<bool> over = false;
  std::thread ending([&] {
    for (int i = 0; i < kRequests; ++i) {
      auto request = waiting.Add("billing", [&](const Refusal&) { ++refusals; });
      const int before = stops;
      // Then another is under way, as likely as not.
      while (stops < before + 2) std::this_thread::yield();
      request.reset();
    }
    over = true;
  });
  for (; !over; ++stops) waiting.RefuseAll("helpdesk", kKilled);
  ending.join();
  CHECK(refusals == 0);
}
