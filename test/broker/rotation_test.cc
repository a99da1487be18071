#include "broker/rotation.h"

#include "test/broker/rotation_world.h"

using namespace rotation_test;

TEST_CASE("A rotation replaces the one in use and removes the old one, after the grace period") {
  for (const bool certificate : {true, false}) {
    CAPTURE(certificate);
    World world(certificate);
    world.entra.unknown_for = 4;
    REQUIRE(world.Begin({.grace = seconds(600), .request_id = "r-1"}).has_value());
    world.Run(RotationStep::kGrace);
    CHECK(world.Keys() == "key-old key-1");
    const auto switched = world.clock.WallNow();
    world.Run();
    CHECK(world.Keys() == "key-1");
    CHECK(world.clock.WallNow() - switched >= seconds(600));
    CHECK(world.vault.Fetch(world.id())->version == "2");
    const RotationJournal last = world.Journal();
    CHECK(last.step == RotationStep::kIdle);
    CHECK(last.new_key == "key-1");
    CHECK(last.secret.empty());
    CHECK(last.failure.empty());
    CHECK(last.rotated > 0);
    CHECK(world.Steps(Outcome::kPending) == "begin prove switch");
    CHECK(world.Steps(Outcome::kSuccess) == "switch remove");
    CHECK(world.ledger.entries.back().request_id == "r-1");
  }
}

TEST_CASE("Wherever the process dies, one of the two works, and none is left over at Entra") {
  for (const bool certificate : {true, false}) {
    for (int at = 0;; ++at) {
      CAPTURE(certificate);
      CAPTURE(at);
      World world(certificate);
      world.entra.unknown_for = 2;
      world.dies_at = at;
      bool died = false;
      bool begun = false;
      try {
        begun = world.Begin({.grace = seconds(60)}).has_value();
        world.Run();
      } catch (const Crash&) {
        died = true;
      }
      if (!died) {
        CHECK(at > 10);
        break;
      }
      world.memory = {};  // what the next process does not know
      world.CheckInUse();
      world.Run();
      // Not begun: the intent was not durable, so that nothing happened.
      const bool nothing = !begun && world.Keys() == "key-old";
      if (nothing) CHECK(world.entra.added == 0);
      CHECK(world.entra.held.size() == 1);
      world.CheckInUse();
      if (!nothing) CHECK(world.Journal().step == RotationStep::kIdle);
      if (!nothing) CHECK(world.Keys() != "key-old");
    }
  }
}

TEST_CASE("It dies again and again, and ends well all the same") {
  for (const bool certificate : {true, false}) {
    CAPTURE(certificate);
    World world(certificate);
    REQUIRE(world.Begin({.grace = seconds(5)}).has_value());
    int deaths = 0;
    for (int i = 0; i < 400; ++i) {
      world.effects = 0;
      world.dies_at = 1 + i % 4;
      world.memory = {};
      try {
        world.Run();
        break;
      } catch (const Crash&) {
        ++deaths;
      }
    }
    CHECK(deaths > 3);
    CHECK(world.Journal().step == RotationStep::kIdle);
    CHECK(world.entra.held.size() == 1);
    world.CheckInUse();
  }
}

TEST_CASE("What never works is not switched to, is removed, and the old one stays") {
  for (const bool certificate : {true, false}) {
    World world(certificate);
    world.entra.unknown_for = 1'000'000;
    REQUIRE(world.Begin().has_value());
    world.Run();
    CHECK(world.Keys() == "key-old");
    CHECK(world.vault.Fetch(world.id())->version == "1");
    CHECK(world.Journal().failure.find("did not work within 15 minutes") != std::string::npos);
    CHECK(world.Journal().new_key == "key-old");
    CHECK(world.Steps(Outcome::kFailure) == "end");
    CHECK(world.Steps(Outcome::kSuccess).empty());
  }
}

TEST_CASE("The old one is not removed while the new one does not work") {
  World world(false);
  REQUIRE(world.Begin({.grace = seconds(1)}).has_value());
  world.Run(RotationStep::kGrace);
  for (auto& one : world.entra.held) one.unknown_for = one.key_id == "key-1" ? 5 : 0;
  world.clock.Advance(seconds(2));
  REQUIRE(world.rotation().Advance().has_value());
  CHECK(world.Keys() == "key-old key-1");
  CHECK(world.memory.trouble.find("the old one stays") != std::string::npos);
  for (int i = 0; i < 10; ++i) {
    world.clock.Advance(seconds(60));
    REQUIRE(world.rotation().Advance().has_value());
  }
  CHECK(world.Keys() == "key-1");
}

TEST_CASE("A second rotation of the same credential is told of the first") {
  World world(false);
  REQUIRE(world.Begin().has_value());
  for (const auto step : {RotationStep::kProving, RotationStep::kGrace}) {
    const auto second = world.Begin();
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().reason == Reason::kConflict);
    CHECK(second.error().hint.find("under way") != std::string::npos);
    world.Run(step);
  }
  CHECK(world.entra.added == 1);
}

TEST_CASE("What somebody enrols meanwhile stays, and purser takes back its own") {
  World world(false);
  REQUIRE(world.Begin().has_value());
  world.Run(RotationStep::kSwitching);
  world.entra.held.push_back({"key-hand", "by hand", "hand~secret", 0});
  REQUIRE(world.vault.store.Put(world.id(), Secret::CopyOf("hand~secret"), 1).has_value());
  world.Run();
  CHECK(world.Keys() == "key-old key-hand");
  CHECK(world.Journal().failure.find("somebody enrolled another") != std::string::npos);
}

TEST_CASE("What is put back in the grace period is not removed") {
  World world(false);
  REQUIRE(world.Begin({.grace = seconds(60)}).has_value());
  world.Run(RotationStep::kGrace);
  REQUIRE(world.vault.store.Put(world.id(), Secret::CopyOf("old~secret"), 2).has_value());
  world.Run();
  CHECK(world.Keys() == "key-old key-1");
  CHECK(world.Journal().failure.find("removed nothing") != std::string::npos);
}

TEST_CASE("What Graph refuses ends the rotation; what it cannot answer is asked again") {
  struct Row {
    const char* method;
    GraphError error;
    const char* failure;
  };
  for (const Row& row :
       {Row{"add", kDenied, "refused to add"}, Row{"add", kNo, "refused to add"}}) {
    World world(false);
    REQUIRE(world.Begin().has_value());
    world.entra.fail.emplace_back(row.method, row.error);
    world.Run();
    CHECK(world.Keys() == "key-old");
    CHECK(world.Journal().failure.find(row.failure) != std::string::npos);
  }
  for (const char* method : {"read", "add", "remove"}) {
    CAPTURE(method);
    World world(true);
    REQUIRE(world.Begin({.grace = seconds(1)}).has_value());
    world.entra.fail.emplace_back(method, kDown);
    for (int i = 0; i < 20; ++i) {
      REQUIRE(world.rotation().Advance().has_value());
      world.clock.Advance(seconds(30));
    }
    CHECK(world.memory.trouble == "Graph answered 503");
    CHECK(world.Journal().step != RotationStep::kIdle);
    world.entra.fail.clear();
    world.Run();
    CHECK(world.Keys() == "key-1");
  }
}

TEST_CASE("An outage of an hour ends a rotation that has added nothing") {
  World world(false);
  REQUIRE(world.Begin().has_value());
  world.entra.fail.emplace_back("add", kDown);
  world.Run();
  CHECK(world.Keys() == "key-old");
  CHECK(world.Journal().failure.find("within an hour: Graph answered 503") != std::string::npos);
}

TEST_CASE("Nothing begins where it is not known what would be replaced, or by whom") {
  const auto refusal = [](World& world, const Rotation::Ask& ask = {}) {
    const auto begun = world.Begin(ask);
    REQUIRE_FALSE(begun.has_value());
    CHECK(world.entra.added == 0);
    CHECK_FALSE(world.rows.Get(RotationJournalId("app")).has_value());
    return begun.error();
  };
  World other(true);
  other.entra.held[0].secret = "another thumbprint";
  other.entra.before = other.entra.after = nullptr;
  CHECK(refusal(other).hint.find("does not know what it would remove") != std::string::npos);

  World alike(false);
  alike.entra.held.push_back({"key-2", "by hand too", "old~other", 0});
  CHECK(refusal(alike).hint.find("--key-id") != std::string::npos);
  CHECK(refusal(alike, {.key_id = "key-unknown"}).reason == Reason::kValueOutOfRange);
  CHECK(alike.rotation().Examine({.key_id = "key-old"}).value().old_key == "key-old");

  World unreadable(false);
  unreadable.entra.fail.emplace_back("read", kDenied);
  CHECK(refusal(unreadable).hint.find("grant X") != std::string::npos);

  World blind(true);
  blind.entra.fail.emplace_back("read", kDenied);
  CHECK(refusal(blind).hint.find("--object-id and --key-id") != std::string::npos);
  CHECK(refusal(blind, {.object_id = "object-1"}).hint.find("--key-id") != std::string::npos);

  World unrecorded(false);
  unrecorded.ledger.fail_with = ErrorCode::kUnavailable;
  CHECK_FALSE(unrecorded.Begin().has_value());
  CHECK(unrecorded.entra.added == 0);
}

TEST_CASE("An application without any permission rolls its own certificate, time after time") {
  World world(true);
  world.entra.fail.emplace_back("read", kDenied);
  REQUIRE(
      world.Begin({.grace = seconds(1), .object_id = "object-1", .key_id = "key-old"}).has_value());
  world.Run();
  CHECK(world.Keys() == "key-1");
  REQUIRE(world.Begin({.grace = seconds(1)}).has_value());  // now purser knows both
  world.Run();
  CHECK(world.Keys() == "key-2");
  CHECK(world.vault.Fetch(world.id())->version == "3");
}

TEST_CASE("Unread and interrupted, it looks for its certificate by trying it before adding again") {
  for (int at = 0; at < 12; ++at) {
    CAPTURE(at);
    World world(true);
    world.entra.fail.emplace_back("read", kDenied);
    world.entra.unknown_for = 3;
    REQUIRE(world.Begin({.grace = seconds(1), .object_id = "object-1", .key_id = "key-old"})
                .has_value());
    world.effects = 0;
    world.dies_at = at;
    try {
      world.Run();
    } catch (const Crash&) {
    }
    world.memory = {};
    world.Run();
    CHECK(world.entra.held.size() == 1);
    CHECK(world.entra.added == 1);
    world.CheckInUse();
  }
}

TEST_CASE("The ledger has ids and versions, never a secret") {
  World world(false);
  REQUIRE(world.Begin({.grace = seconds(1)}).has_value());
  world.Run();
  for (const auto& entry : world.ledger.entries) {
    for (const auto& [name, value] : entry.change) {
      const auto* text = std::get_if<std::string>(&value);
      if (text != nullptr) CHECK(text->find("~secret") == std::string::npos);
    }
  }
}

TEST_CASE("A journal reads as it was written, and nothing else reads as one") {
  RotationJournal journal;
  journal.step = RotationStep::kGrace;
  journal.old_key = "a";
  journal.label = "ü\"\n";
  journal.blind = true;
  journal.remove_after = 7;
  journal.secret = Secret::CopyOf("line\nline");
  const auto read = ParseRotationJournal(EncodeRotationJournal(journal));
  REQUIRE(read.has_value());
  CHECK(read->step == RotationStep::kGrace);
  CHECK(read->label == journal.label);
  CHECK(read->blind);
  CHECK(read->remove_after == 7);
  CHECK(read->secret.Equals(journal.secret));
  for (const char* bad :
       {"", "{}", "{}\n", "[]\n", "{\"v\":2}\n", "{\"v\":1,\"step\":\"none\"}\n"}) {
    CAPTURE(bad);
    CHECK_FALSE(ParseRotationJournal(Secret::CopyOf(bad)).has_value());
  }
}

TEST_CASE("A kind without a secret of its own says so in a sentence") {
  const policy::Config config;
  for (const char* kind : {"managed-identity", "federated", "agent-identity", "on-behalf-of"}) {
    CAPTURE(kind);
    CHECK_FALSE(WhyNotRotated(config, {.kind = kind}).empty());
  }
  for (const char* kind : {"certificate", "key-vault-key", "client-secret", "refresh-token"}) {
    CHECK(WhyNotRotated(config, {.kind = kind}).empty());
  }
}

TEST_CASE(
    "What a vault elsewhere keeps is rotated there, unless purser may not choose its version") {
  policy::Config config;
  config.vaults["corp"].kind = "azure-key-vault";
  config.vaults["files"].kind = "mounted-files";
  struct Row {
    const char* kind;
    const char* vault;
    const char* version;
    const char* says;
  };
  for (const Row& row :
       {Row{"client-secret", "corp", "", ""}, Row{"refresh-token", "corp", "", ""},
        Row{"client-secret", "corp", "0123", "pins it"},
        Row{"client-secret", "files", "", "whoever mounts these files"},
        Row{"certificate", "files", "", "whoever mounts these files"},
        Row{"certificate", "corp", "", ""}, Row{"certificate", "corp", "0123", "pins it"},
        Row{"key-vault-key", "corp", "", ""}, Row{"key-vault-key", "corp", "0123", "pins it"}}) {
    CAPTURE(row.kind);
    CAPTURE(row.vault);
    const std::string why =
        WhyNotRotated(config, {.kind = row.kind, .vault = row.vault, .version = row.version});
    CHECK(why.empty() == (*row.says == 0));
    CHECK(why.find(row.says) != std::string::npos);
  }
}
