#include "sidecar/supervisor/admin_share.h"

#include <doctest/doctest.h>

#include "sidecar/supervisor/connections.h"
#include "sidecar/supervisor/front_door.h"
#include "test/fakes/fake_clock.h"

using namespace sidecar::supervisor;
using namespace std::chrono_literals;

namespace {

constexpr uint32_t kGreedy = 7, kJo = 8;
constexpr AdminShare::Limits kLimits{
    .open = 6, .open_of_user = 3, .per_second = 4, .of_user_per_second = 2};

// How many the user gets right now.
int Flood(AdminShare* share, uint32_t uid, broker::Clock::Steady now) {
  int got = 0;
  for (int i = 0; i < 100; ++i) got += share->Take(uid, 0, 0, now) ? 1 : 0;
  return got;
}

}  // namespace

TEST_CASE("Who takes all they can of the operator's socket leaves others theirs") {
  FakeClock clock;
  AdminShare share(kLimits);
  for (int second = 0; second < 10; ++second) {
    CAPTURE(second);
    CHECK(Flood(&share, kGreedy, clock.Now()) == (second == 0 ? 4 : 2));
    CHECK(share.Take(kJo, 0, 0, clock.Now()));
    CHECK(share.Take(kJo, 0, 0, clock.Now()));
    clock.Advance(1s);
  }
}

TEST_CASE("Together they are no more than all may be") {
  FakeClock clock;
  AdminShare share(kLimits);
  int got = 0;
  for (uint32_t uid = 100; uid < 200; ++uid) got += Flood(&share, uid, clock.Now());
  CHECK(got == 8);
  clock.Advance(1s);
  for (uint32_t uid = 200; uid < 300; ++uid) got += Flood(&share, uid, clock.Now());
  CHECK(got == 12);
}

TEST_CASE("Who has enough open gets no more, however rarely they come") {
  const FakeClock clock;
  AdminShare share(kLimits);
  CHECK_FALSE(share.Take(kGreedy, 3, 3, clock.Now()));
  CHECK_FALSE(share.Take(kJo, 6, 0, clock.Now()));
  CHECK(share.Take(kGreedy, 2, 2, clock.Now()));
  CHECK(share.Take(kJo, 5, 0, clock.Now()));
}

TEST_CASE("Members and newcomers leave each other room, and root") {
  constexpr auto kMembers = FrontDoor::kMembers, kNewcomers = FrontDoor::kNewcomers;
  CHECK(kMembers.open + kNewcomers.open < Connections::kMaxAdmin);
  for (const auto& limits : {kMembers, kNewcomers}) {
    CHECK(2 * limits.open_of_user <= limits.open);
    CHECK(2 * limits.of_user_per_second <= limits.per_second);
  }
}
