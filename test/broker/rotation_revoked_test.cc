// What a rotation does when its credential is revoked.
#include "test/broker/rotation_world.h"

using namespace rotation_test;

namespace {

constexpr int kAllEffects = 40;  // more than a rotation has

/// A rotation whose credential is revoked, and whose process perhaps dies, at these effects.
struct Revoked {
  bool begun = false, died = false;
};
Revoked RunRevoked(World& world, int revoked_at, int dies_at) {
  Revoked what;
  world.revoked_at = revoked_at;
  world.dies_at = dies_at;
  try {
    what.begun = world.Begin({.grace = seconds(60)}).has_value();
    if (what.begun) world.Run();
  } catch (const Crash&) {
    what.died = true;
    world.memory = {};  // what the next process does not know
    world.revoked_at = world.dies_at = -1;
    if (!world.revocations.Has("app")) world.Revoke();
    what.begun = world.rows.Get(RotationJournalId("app")).has_value();
    if (what.begun) world.Run();
  }
  return what;
}

bool IsDestroyed(World& world) { return !world.vault.Fetch(world.id()).has_value(); }

}  // namespace

TEST_CASE("Revoked before any write of a rotation, nothing new is stored and none is left over") {
  for (const bool certificate : {true, false}) {
    for (int at = 0; at < kAllEffects; ++at) {
      CAPTURE(certificate);
      CAPTURE(at);
      World world(certificate);
      world.entra.others_token = !certificate;
      RunRevoked(world, at, -1);
      if (!world.revocations.Has("app")) {
        CHECK(at > 10);
        break;
      }
      CHECK(IsDestroyed(world));
      const RotationJournal last = world.Journal();
      CHECK(last.step == RotationStep::kIdle);
      CHECK(last.secret.empty());
      // Before the switch the new one is taken back. After it, both; of certificates purser has
      // nothing left to show for it, and says so.
      const bool switched = world.Steps(Outcome::kSuccess).starts_with("switch");
      const bool by_hand = last.failure.find("by hand") != std::string::npos;
      const bool ended = world.Steps(Outcome::kSuccess) == "switch remove";
      if (!switched) CHECK(world.Keys() == "key-old");
      if (switched && ended) CHECK(world.Keys() == "key-1");
      if (switched && !ended) CHECK((world.Keys().empty() || (certificate && by_hand)));
    }
  }
}

TEST_CASE("Revoked while the process is dead, the next one takes back what was added") {
  for (const bool certificate : {true, false}) {
    for (int at = 0; at < kAllEffects; ++at) {
      CAPTURE(certificate);
      CAPTURE(at);
      World world(certificate);
      world.entra.others_token = !certificate;
      const Revoked what = RunRevoked(world, -1, at);
      if (!what.died) break;
      if (!what.begun) {
        CHECK(world.Keys() == "key-old");
        continue;
      }
      CHECK(IsDestroyed(world));
      CHECK(world.Journal().step == RotationStep::kIdle);
      CHECK(world.Journal().secret.empty());
      const bool by_hand = world.Journal().failure.find("by hand") != std::string::npos;
      const bool switched = world.Steps(Outcome::kSuccess).starts_with("switch");
      if (!switched) CHECK(world.Keys() == "key-old");
      if (switched && !by_hand) CHECK(world.entra.held.size() <= 1);
    }
  }
}

TEST_CASE("While Entra cannot be asked, the journal keeps what is to be removed") {
  World world(false);
  world.entra.others_token = true;
  REQUIRE(world.Begin().has_value());
  world.Run(RotationStep::kSwitching);
  world.entra.fail.emplace_back("read", kDown);
  world.Revoke();
  for (int i = 0; i < 200; ++i) {
    REQUIRE(world.rotation().Advance().has_value());
    world.clock.Advance(seconds(30));
  }
  CHECK(world.Journal().step == RotationStep::kUndoing);
  CHECK(world.memory.trouble == "Graph answered 503");
  CHECK(world.memory.failures > 5);
  world.memory = {};  // another process
  world.entra.fail.clear();
  world.Run();
  CHECK(world.Keys() == "key-old");
  CHECK(world.Journal().failure.find("revoked meanwhile") != std::string::npos);
  CHECK(world.ledger.entries.back().reason == "credential_revoked");
}

TEST_CASE("A certificate that nobody else may remove removes itself, and is asked with alone") {
  World world(true);
  REQUIRE(world.Begin().has_value());
  world.Run(RotationStep::kSwitching);
  world.Revoke();
  world.Run();
  CHECK(world.Keys() == "key-old");
  CHECK_FALSE(world.entra.asked_with.empty());
}

TEST_CASE("What a vault elsewhere has stays whole: the one that is in use, and not the other") {
  for (const bool switched : {false, true}) {
    CAPTURE(switched);
    World world(false);
    world.entra.others_token = true;
    REQUIRE(world.Begin({.grace = seconds(86400)}).has_value());
    world.Run(switched ? RotationStep::kGrace : RotationStep::kSwitching);
    world.revocations.Add("app");  // destroys nothing there
    const auto before = world.clock.WallNow();
    world.Run();
    CHECK(world.clock.WallNow() - before < seconds(3600));  // a grace period protects nobody now
    CHECK(world.Keys() == (switched ? "key-1" : "key-old"));
    world.revocations.Lift("app");
    world.CheckInUse();
  }
}

TEST_CASE("Nothing begins for a credential that is revoked") {
  World world(false);
  world.revocations.Add("app");
  const auto begun = world.Begin();
  REQUIRE_FALSE(begun.has_value());
  CHECK(begun.error().reason == Reason::kCredentialRevoked);
  CHECK(begun.error().hint.find("release") != std::string::npos);
  CHECK(world.entra.added == 0);
  CHECK(world.ledger.entries.empty());
}
