// broker/second_person.h: nobody confirms what they proposed.
#include "broker/second_person.h"

#include <doctest/doctest.h>

#include "test/fakes/fake_clock.h"

using broker::SecondPerson;
using Step = SecondPerson::Step;

TEST_CASE("What one person proposes, another one confirms, once") {
  FakeClock clock;
  SecondPerson second(clock);
  CHECK(second.Ask("helpdesk", 1, {7}).step == Step::kProposed);
  const auto confirmed = second.Ask("helpdesk", 1, {8});
  CHECK(confirmed.step == Step::kConfirmed);
  CHECK(confirmed.proposed_by.person == 7);
  CHECK(second.Ask("helpdesk", 1, {8}).step == Step::kProposed);
}

TEST_CASE("Everything else is not confirmed") {
  FakeClock clock;
  SecondPerson second(clock);
  CHECK(second.Ask("helpdesk", 1, {7}).step == Step::kProposed);
  SUBCASE("by who proposed it, however often") {
    CHECK(second.Ask("helpdesk", 1, {7}).step == Step::kSamePerson);
    CHECK(second.Ask("helpdesk", 1, {7}).step == Step::kSamePerson);
  }
  SUBCASE("by the same user, whose process chose its login") {
    CHECK(second.Ask("all", 1, {4711, 1001}).step == Step::kProposed);
    CHECK(second.Ask("all", 1, {4712, 1001}).step == Step::kSamePerson);
    CHECK(second.Ask("all", 1, {1001, 0}).step == Step::kSamePerson);  // and sudo
    CHECK(second.Ask("all", 1, {1002, 0}).step == Step::kConfirmed);
  }
  SUBCASE("by the same signed-in person behind another user") {
    CHECK(second.Ask("all", 1, {7, 7, "ada"}).step == Step::kProposed);
    CHECK(second.Ask("all", 1, {8, 8, "ada"}).step == Step::kSamePerson);
    CHECK(second.Ask("all", 1, {7, 7, "grace"}).step == Step::kSamePerson);  // or a shared user
    CHECK(second.Ask("all", 1, {7, 7}).step == Step::kSamePerson);
    CHECK(second.Ask("all", 1, {8, 8, "grace"}).step == Step::kConfirmed);
  }
  SUBCASE("another thing") { CHECK(second.Ask("", 1, {8}).step == Step::kProposed); }
  SUBCASE("what changed since: the other becomes the first") {
    CHECK(second.Ask("helpdesk", 2, {8}).step == Step::kProposed);
    CHECK(second.Ask("helpdesk", 2, {8}).step == Step::kSamePerson);
    CHECK(second.Ask("helpdesk", 2, {7}).step == Step::kConfirmed);
  }
  SUBCASE("too late") {
    clock.Advance(SecondPerson::kPatience);
    CHECK(second.Ask("helpdesk", 1, {8}).step == Step::kProposed);
  }
}
