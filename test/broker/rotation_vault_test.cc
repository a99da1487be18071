// What a rotation asks of the vault that keeps the secret.
#include "test/broker/rotation_world.h"

using namespace rotation_test;

namespace {
const VaultError kNoRole{Error{ErrorCode::kDenied, "corp: may not write this secret"}};
}

TEST_CASE("The old version is disabled in its vault when Entra knows it no more, not before") {
  World world(false);
  world.credential.vault = "corp";
  REQUIRE(world.Begin({.grace = seconds(60)}).has_value());
  CHECK(world.writer.asked == std::vector<std::string>{"1"});
  world.Run(RotationStep::kGrace);
  CHECK(world.writer.disabled.empty());
  world.Run();
  CHECK(world.writer.disabled == std::vector<std::string>{"1"});
  CHECK(world.Keys() == "key-1");
}

TEST_CASE("The vault says of a new version until when Entra takes it, before it counts as in use") {
  World world(false);
  world.credential.vault = "corp";
  const auto ends = world.clock.WallNow() + Rotation::kLife;
  REQUIRE(world.Begin({.grace = seconds(1)}).has_value());
  world.Run(RotationStep::kSwitching);
  world.writer.refuse_with = VaultError{Error{ErrorCode::kUnavailable, "throttled"}};
  for (int i = 0; i < 3; ++i) REQUIRE(world.rotation().Advance().has_value());
  CHECK(world.Journal().step == RotationStep::kSwitching);
  world.writer.refuse_with.reset();
  world.Run(RotationStep::kGrace);
  REQUIRE(world.writer.expires.contains("2"));
  CHECK(world.writer.expires.size() == 1);
  CHECK(world.writer.expires.at("2") == std::chrono::floor<seconds>(ends));
  world.Run();
  CHECK(world.Journal().failure.empty());
}

TEST_CASE("What purser keeps itself is given no expiry in a vault, and nothing is disabled") {
  World world(false);
  REQUIRE(world.Begin({.grace = seconds(1)}).has_value());
  world.Run();
  CHECK(world.writer.expires.empty());
  CHECK(world.writer.disabled.empty());
}

TEST_CASE("A role that is missing is said before anything was changed") {
  World world(false);
  world.credential.vault = "corp";
  world.writer.refuse_with = kNoRole;
  const auto begun = world.Begin();
  REQUIRE_FALSE(begun.has_value());
  CHECK(begun.error().reason == Reason::kCredentialUnavailable);
  CHECK(begun.error().hint.find("may not write") != std::string::npos);
  CHECK(world.entra.added == 0);
  CHECK_FALSE(world.rows.Get(RotationJournalId("app")).has_value());
}

TEST_CASE("A vault that refuses the new version keeps the old one, and Entra does, too") {
  World world(false);
  world.credential.vault = "corp";
  REQUIRE(world.Begin().has_value());
  world.Run(RotationStep::kSwitching);
  world.vault.refuse_replace_with = kNoRole;
  world.Run();
  CHECK(world.Keys() == "key-old");
  CHECK(world.Journal().failure.find("refused to store it") != std::string::npos);
  CHECK(world.writer.disabled.empty());
}

TEST_CASE(
    "A version that cannot be disabled now is disabled later; a purged one needs it no more") {
  World world(false);
  world.credential.vault = "corp";
  REQUIRE(world.Begin({.grace = seconds(1)}).has_value());
  world.Run(RotationStep::kGrace);
  world.writer.refuse_with = VaultError{Error{ErrorCode::kUnavailable, "throttled"}};
  for (int i = 0; i < 10; ++i) {
    world.clock.Advance(seconds(60));
    REQUIRE(world.rotation().Advance().has_value());
  }
  CHECK(world.Journal().step == RotationStep::kGrace);
  CHECK(world.memory.trouble == "throttled");
  CHECK(world.Keys() == "key-1");
  world.writer.refuse_with = VaultError{Error{ErrorCode::kNotFound, "purged"}};
  world.Run();
  CHECK(world.Journal().failure.empty());
}

TEST_CASE("Unread and killed after the removal, the old version is disabled all the same") {
  World world(true);
  world.credential.vault = "corp";
  world.entra.fail.emplace_back("read", kDenied);
  REQUIRE(
      world.Begin({.grace = seconds(1), .object_id = "object-1", .key_id = "key-old"}).has_value());
  world.Run(RotationStep::kGrace);
  world.entra.after = [](const char* what) {
    if (std::string_view(what) == "remove") throw Crash{};
  };
  CHECK_THROWS_AS(world.Run(), Crash);
  CHECK(world.writer.disabled.empty());
  world.memory = {};
  world.Run();
  CHECK(world.Journal().failure.find("key-old is not in use any more") != std::string::npos);
  CHECK(world.writer.disabled == std::vector<std::string>{"1"});
}
