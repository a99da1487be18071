// A key that never leaves its vault: which version is in use, and when.
#include <utility>

#include "test/broker/rotation_world.h"

using namespace rotation_test;

namespace {

struct KeyWorld : World {
  KeyWorld() : World(true) { KeepKeyInVault(); }
  std::string Active() { return ActiveVersion(rows, "app", place()).value(); }
  // One is enabled in the vault, known to Entra, and in use.
  void CheckOne() {
    CheckInUse();
    CHECK(entra.held.size() == 1);
    CHECK(versions.Enabled() == Active());
  }
};

const VaultError kNoRole{Error{ErrorCode::kDenied, "corp: may not make this certificate"}};

}  // namespace

TEST_CASE("A version is made, proven, then used, and the old one goes when its grace is over") {
  KeyWorld world;
  CHECK(world.Active().empty());
  REQUIRE(world.Begin({.grace = seconds(60)}).has_value());
  CHECK(world.Active() == "v1");
  world.Run(RotationStep::kSwitching);
  CHECK(world.versions.Enabled() == "v1 v2");
  CHECK(world.Active() == "v1");
  world.Run(RotationStep::kGrace);
  CHECK(world.Active() == "v2");
  CHECK(world.Keys() == "key-old key-1");
  world.Run();
  CHECK(world.Keys() == "key-1");
  CHECK(world.versions.Enabled() == "v2");
  CHECK(world.Journal().failure.empty());
  CHECK(world.Steps(Outcome::kSuccess) == "switch remove");
}

TEST_CASE("After a rotation a newer version that somebody made is named, and not used") {
  KeyWorld world;
  CHECK(world.rotation().Examine({})->unused.empty());
  REQUIRE(world.Begin({.grace = seconds(1)}).has_value());
  world.Run();
  world.versions.Add({});
  CHECK(world.Active() == "v2");
  const auto plan = world.rotation().Examine({});
  REQUIRE(plan.has_value());
  CHECK(plan->unused == "v3");
  CHECK(plan->old_version == "v2");
  CHECK(plan->old_key == "key-1");
}

TEST_CASE("Another key of the same credential has versions of its own") {
  KeyWorld world;
  REQUIRE(world.Begin({.grace = seconds(1)}).has_value());
  world.Run();
  CHECK(world.Active() == "v2");
  for (auto* const change : {&world.credential.secret, &world.credential.vault}) {
    const std::string before = std::exchange(*change, "another");
    CHECK(world.Active().empty());
    *change = before;
  }
  CHECK(world.Active() == "v2");
}

TEST_CASE("A rotation whose key is another one meanwhile waits for the one that it began with") {
  KeyWorld world;
  REQUIRE(world.Begin({.grace = seconds(1)}).has_value());
  REQUIRE(world.rotation().Advance().has_value());
  world.credential.secret = "another";
  for (int i = 0; i < 3; ++i) REQUIRE(world.rotation().Advance().has_value());
  CHECK(world.Journal().step == RotationStep::kAdding);
  CHECK(world.memory.failures == 3);
  CHECK(world.memory.trouble.find("put kind, vault and name back") != std::string::npos);
  CHECK(world.entra.added == 0);
  world.credential.secret.clear();
  world.Run();
  CHECK(world.versions.versions.size() == 2);
  world.CheckOne();
}

TEST_CASE("What would not be allowed to make a version is said before anything was changed") {
  for (const auto code : {ErrorCode::kDenied, ErrorCode::kInvalidRequest, ErrorCode::kNotFound}) {
    KeyWorld world;
    world.versions.refuse_with = VaultError{Error{code, "corp: may not make"}};
    const auto begun = world.Begin();
    REQUIRE_FALSE(begun.has_value());
    CHECK(begun.error().hint.find("may not make") != std::string::npos);
    CHECK(world.entra.added == 0);
    CHECK(world.versions.versions.size() == 1);
    CHECK(world.Active().empty());
  }
}

TEST_CASE("A vault that refuses to make the version ends it, and nothing was added") {
  KeyWorld world;
  REQUIRE(world.Begin().has_value());
  world.versions.make_fails = kNoRole;
  world.Run();
  CHECK(world.Keys() == "key-old");
  CHECK(world.versions.Enabled() == "v1");
  CHECK(world.Journal().failure.find("refused to make a new version") != std::string::npos);
}

TEST_CASE("A vault that is at it, or cannot be reached, is asked again") {
  for (const auto code : {ErrorCode::kConflict, ErrorCode::kUnavailable}) {
    KeyWorld world;
    REQUIRE(world.Begin({.grace = seconds(1)}).has_value());
    world.versions.make_fails = VaultError{Error{code, "not now"}};
    for (int i = 0; i < 5; ++i) REQUIRE(world.rotation().Advance().has_value());
    CHECK(world.Journal().step == RotationStep::kAdding);
    world.versions.make_fails.reset();
    world.Run();
    world.CheckOne();
  }
}

TEST_CASE("A version that the vault is still at is waited for, which is no failure yet") {
  KeyWorld world;
  world.versions.takes = 20;
  REQUIRE(world.Begin({.grace = seconds(1)}).has_value());
  for (int i = 0; i < 10; ++i) REQUIRE(world.rotation().Advance().has_value());
  CHECK(world.memory.failures == 0);
  CHECK(world.memory.trouble == "the vault is at one");
  world.Run();
  CHECK(world.versions.versions.size() == 2);
  CHECK(world.Journal().failure.empty());
  world.CheckOne();
}

TEST_CASE("A version that the vault never finishes is trouble, and given up in the end") {
  KeyWorld world;
  world.versions.takes = 1'000'000;
  REQUIRE(world.Begin().has_value());
  REQUIRE(world.rotation().Advance().has_value());
  world.clock.Advance(std::chrono::minutes(6));
  for (int i = 0; i < 5; ++i) REQUIRE(world.rotation().Advance().has_value());
  CHECK(world.memory.failures == 5);
  CHECK(world.entra.added == 0);
  world.clock.Advance(std::chrono::hours(1));
  REQUIRE(world.rotation().Advance().has_value());
  CHECK(world.Journal().step == RotationStep::kUndoing);
  // What comes of it after all is disabled.
  world.versions.pending = 0;
  world.Run();
  CHECK(world.versions.Enabled() == "v1");
  CHECK(world.Active() == "v1");
}

TEST_CASE("A rotation does not begin while the vault is at somebody else's version") {
  KeyWorld world;
  world.versions.pending = 1;
  const auto begun = world.Begin();
  REQUIRE_FALSE(begun.has_value());
  CHECK(begun.error().hint == "the vault is at one.");
  CHECK_FALSE(world.rows.Get(RotationJournalId("app")).has_value());
}

TEST_CASE("A version that somebody disables before it is used is waited for, and no other made") {
  KeyWorld world;
  REQUIRE(world.Begin({.grace = seconds(1)}).has_value());
  REQUIRE(world.rotation().Advance().has_value());
  REQUIRE(world.versions.versions.size() == 2);
  world.versions.versions.back().enabled = false;
  for (int i = 0; i < 3; ++i) REQUIRE(world.rotation().Advance().has_value());
  CHECK(world.entra.added == 0);
  world.versions.versions.back().enabled = true;
  world.Run();
  CHECK(world.versions.versions.size() == 2);
  world.CheckOne();
}

TEST_CASE("A version that Entra never takes is removed there and disabled, and was never used") {
  KeyWorld world;
  world.entra.unknown_for = 1'000'000;
  REQUIRE(world.Begin().has_value());
  world.Run();
  CHECK(world.Keys() == "key-old");
  CHECK(world.versions.Enabled() == "v1");
  CHECK(world.Active() == "v1");
  world.entra.unknown_for = 0;
  REQUIRE(world.Begin({.grace = seconds(1)}).has_value());
  world.Run();
  CHECK(world.Active() == "v3");
  world.CheckOne();
}

TEST_CASE("A certificate that Graph refuses to add is disabled in the vault") {
  KeyWorld world;
  REQUIRE(world.Begin().has_value());
  world.entra.fail.emplace_back("add", kNo);
  world.Run();
  CHECK(world.versions.Enabled() == "v1");
  CHECK(world.Keys() == "key-old");
}

TEST_CASE("Wherever the process dies, one version works, and one is enabled in the end") {
  for (const bool blind : {false, true}) {
    for (int at = 0;; ++at) {
      CAPTURE(blind);
      CAPTURE(at);
      KeyWorld world;
      world.entra.unknown_for = world.versions.takes = 2;
      if (blind) world.entra.fail.emplace_back("read", kDenied);
      world.dies_at = at;
      const Rotation::Ask ask{.grace = seconds(60),
                              .object_id = blind ? "object-1" : "",
                              .key_id = blind ? "key-old" : ""};
      bool died = false;
      try {
        if (world.Begin(ask)) world.Run();
      } catch (const Crash&) {
        died = true;
      }
      if (!died) {
        CHECK(at > 14);
        break;
      }
      world.memory = {};  // what the next process does not know
      world.CheckInUse();
      if (world.rows.Get(RotationJournalId("app"))) world.Run();
      CHECK(world.versions.versions.size() <= 2);
      if (world.Active().empty()) CHECK(world.entra.added == 0);
      if (!world.Active().empty()) world.CheckOne();
    }
  }
}

TEST_CASE("Revoked before any write, by whatever process, no new version is left to use") {
  for (const bool dies : {false, true}) {
    for (int at = 0; at < 40; ++at) {
      CAPTURE(dies);
      CAPTURE(at);
      KeyWorld world;
      world.entra.others_token = true;
      world.revoked_at = at;
      world.dies_at = dies ? at : -1;
      try {
        if (!world.Begin({.grace = seconds(60)})) continue;
        world.Run();
      } catch (const Crash&) {
        world.memory = {};
        if (world.rows.Get(RotationJournalId("app"))) world.Run();
      }
      CHECK(world.entra.held.size() == 1);
      const std::string active = world.Active().empty() ? "v1" : world.Active();
      CHECK(world.versions.Enabled() == active);
    }
  }
}

TEST_CASE("A reference reads as it was written, and nothing else reads as one") {
  const Secret reference = EncodeKeyReference({"v1", std::string("\0\xff\n-", 4), "label", true});
  const auto read = ParseKeyReference(reference);
  REQUIRE(read.has_value());
  CHECK(read->version == "v1");
  CHECK(read->certificate == std::string("\0\xff\n-", 4));
  for (const char* bad :
       {"", "key-version v1", "key-version v1\n*", "-----BEGIN CERTIFICATE-----\n"}) {
    CAPTURE(bad);
    CHECK_FALSE(ParseKeyReference(Secret::CopyOf(bad)).has_value());
  }
}
