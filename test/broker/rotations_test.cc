#include "broker/rotations.h"

#include <doctest/doctest.h>

#include "test/fakes/fake_app_registration.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/fake_key_versions.h"
#include "test/fakes/fake_ledger.h"
#include "test/fakes/fake_random.h"
#include "test/fakes/fake_store.h"

using namespace broker;
using std::chrono::hours, std::chrono::seconds;

namespace {

/// Stands for the registration, which outlives each step.
class Shared final : public AppRegistration {
 public:
  explicit Shared(FakeAppRegistration& entra) : entra_(entra) {}
  bool AskWith(const Secret& secret) override { return entra_.AskWith(secret); }
  GraphResult<graph::Application> Read() override { return entra_.Read(); }
  GraphResult<graph::AddedPassword> Add(const graph::NewCredential& about, const Owner& owner,
                                        const Secret& made) override {
    return entra_.Add(about, owner, made);
  }
  GraphResult<void> Remove(const std::string& key_id, const Owner& owner) override {
    return entra_.Remove(key_id, owner);
  }
  GraphResult<void> Prove(const Secret& secret) override { return entra_.Prove(secret); }

 private:
  FakeAppRegistration& entra_;
};

/// What outlives a process; `rotations` is one.
struct World {
  /// `key`: the credential is a key that never leaves its vault.
  explicit World(seconds every = seconds{0}, bool key = false) : entra(key) {
    policy::Config made;
    made.instance.name = "test";
    made.credentials["app"] = {
        .name = "app", .kind = "client-secret", .client_id = "c", .rotate_every = every};
    if (key) {
      made.vaults["corp"].kind = "azure-key-vault";
      made.credentials["app"].kind = "key-vault-key";
      made.credentials["app"].vault = "corp";
      vault_keys->Add({});
    }
    made.credentials["user"] = {.name = "user", .kind = "refresh-token", .client_id = "c"};
    made.credentials["vm"] = {.name = "vm", .kind = "managed-identity"};
    config = std::make_shared<const policy::Config>(std::move(made));
    entra.held.push_back({"key-old", "by hand", "old~secret", 0});
    if (key) {
      entra.held.front().secret = entra.NameOf(EncodeKeyReference(vault_keys->versions.front()));
    }
    REQUIRE(vault.store.Put({"app", SecretKind::kClientSecret}, Secret::CopyOf("old~secret"), 0)
                .has_value());
    Restart();
  }
  void Restart() {
    rotations = std::make_unique<Rotations>(Rotations::Ports{
        .journal = vault.store,
        .vault = vault,
        .ledger = ledger,
        .clock = clock,
        .random = random,
        .config = [this] { return config; },
        .usable = [this] { return usable; },
        .registration = [this](const auto&, const auto&,
                               const auto&) { return std::make_unique<Shared>(entra); },
        .redeem = [this](const std::string& name, const auto&) -> MintResult {
          if (refuse) return Refuse(Reason::kLoginRequired, "no");
          if (renews) {
            [[maybe_unused]] const auto put = vault.store.Put({name, SecretKind::kRefreshToken},
                                                              Secret::CopyOf("r"), std::nullopt);
          }
          return std::make_shared<const AccessToken>();
        },
        .switched = [this](const RotationView& now) { switched.push_back(now.credential); },
        .revocations = &revocations,
        .keys = [this](const std::string& name) -> std::shared_ptr<KeyVersions> {
          return name == "app" ? vault_keys : nullptr;
        },
    });
  }
  /// Lets so much time pass, with what is due in it.
  void Pass(seconds time) {
    const auto end = clock.WallNow() + time;
    while (clock.WallNow() < end) {
      const auto wait =
          std::max<std::chrono::milliseconds>(rotations->Tick(), std::chrono::milliseconds(100));
      clock.Advance(std::min<std::chrono::nanoseconds>(wait, end - clock.WallNow()));
    }
    rotations->Tick();
  }
  std::string Keys() const {
    std::string keys;
    for (const auto& one : entra.held) keys += (keys.empty() ? "" : " ") + one.key_id;
    return keys;
  }

  FakeVault vault;
  FakeLedger ledger;
  FakeClock clock;
  FakeRandom random;
  Revocations revocations;
  FakeAppRegistration entra;
  std::shared_ptr<FakeKeyVersions> vault_keys = std::make_shared<FakeKeyVersions>();
  std::shared_ptr<const policy::Config> config;
  bool usable = true, refuse = false, renews = true;
  std::vector<std::string> switched;
  std::unique_ptr<Rotations> rotations;
};

}  // namespace

TEST_CASE("What was begun comes to its end by itself, also in another process") {
  World world;
  REQUIRE(world.rotations->Start("app", {.grace = seconds(60)}).has_value());
  CHECK(world.rotations->Find("app")->step == RotationStep::kAdding);
  world.Restart();
  CHECK(world.rotations->Find("app")->step == RotationStep::kAdding);
  world.Pass(seconds(30));
  CHECK(world.rotations->Find("app")->step == RotationStep::kGrace);
  CHECK(world.switched == std::vector<std::string>{"app"});
  world.Restart();
  world.Pass(seconds(60));
  CHECK(world.Keys() == "key-1");
  CHECK(world.rotations->Find("app")->step == RotationStep::kIdle);
  CHECK(world.rotations->Find("app")->failure.empty());
}

TEST_CASE("What cannot begin is refused with a sentence, and nothing is under way after") {
  World world;
  CHECK(world.rotations->Start("nobody", {}).error().reason == Reason::kNotFound);
  CHECK(world.rotations->Start("vm", {}).error().hint.find("Azure rotates it") !=
        std::string::npos);
  CHECK(world.rotations->DryRun("vm", {}).error().reason == Reason::kValueOutOfRange);
  REQUIRE(world.rotations->Start("app", {}).has_value());
  CHECK(world.rotations->Start("app", {}).error().reason == Reason::kConflict);
  CHECK(world.rotations->DryRun("app", {}).error().reason == Reason::kConflict);
  World sealed;
  sealed.usable = false;
  CHECK(sealed.rotations->Start("app", {}).error().reason == Reason::kSealed);
  CHECK(sealed.rotations->Tick() < Rotations::kLook);
  World gone;
  gone.entra.held.clear();
  CHECK_FALSE(gone.rotations->Start("app", {}).has_value());
  CHECK_FALSE(gone.rotations->Find("app").has_value());
  gone.entra.held.push_back({"key-old", "by hand", "old~secret", 0});
  CHECK(gone.rotations->Start("app", {}).has_value());
}

TEST_CASE("A dry run says what would happen, and changes nothing") {
  World world;
  const auto would = world.rotations->DryRun("app", {});
  REQUIRE(would.has_value());
  CHECK(would->back().find("key-old") != std::string::npos);
  CHECK(world.Keys() == "key-old");
  world.Pass(seconds(60));
  CHECK(world.Keys() == "key-old");
  CHECK(world.rotations->Start("app", {}).has_value());
}

TEST_CASE("A newer version of a vault's key is told once one was rotated to, and nothing goes on") {
  World world(seconds{0}, /*key=*/true);
  CHECK(world.rotations->UnusedVersion("app").empty());
  REQUIRE(world.rotations->Start("app", {.grace = seconds(60)}).has_value());
  CHECK(world.rotations->UnusedVersion("app").empty());
  world.Pass(seconds(30));
  REQUIRE(world.rotations->Find("app")->step == RotationStep::kGrace);
  world.vault_keys->Add({});
  CHECK(world.rotations->UnusedVersion("app").empty());
  world.Pass(seconds(60));
  REQUIRE(world.rotations->Find("app")->step == RotationStep::kIdle);
  CHECK(world.rotations->UnusedVersion("app") == "v3");
  CHECK(world.rotations->DryRun("app", {})->back().starts_with("version v3"));
  for (const char* other : {"user", "vm", "nosuch"}) {
    CHECK(world.rotations->UnusedVersion(other).empty());
  }
  world.usable = false;
  CHECK(world.rotations->UnusedVersion("app").empty());
  world.usable = true;
  world.vault_keys->versions.back().enabled = false;
  CHECK(world.rotations->UnusedVersion("app").empty());
  CHECK(world.vault_keys->Enabled() == "v2");
}

TEST_CASE("A schedule counts from when it is seen, up to a tenth early, and over restarts") {
  World world(hours(10));
  world.Pass(hours(8));
  world.Restart();
  CHECK(world.Keys() == "key-old");
  const auto due = world.rotations->Find("app")->next_due;
  world.Pass(hours(2));
  CHECK(world.Keys() == "key-old key-1");
  world.Pass(hours(2));
  CHECK(world.Keys() == "key-1");
  CHECK(world.rotations->Find("app")->next_due > due + 8 * 3600);
  world.Restart();
  world.Pass(hours(6));
  CHECK(world.entra.added == 1);
  world.Pass(hours(4));
  CHECK(world.Keys() == "key-2");
}

TEST_CASE("A scheduled one that fails is tried again an hour later, not sooner") {
  World world(hours(10));
  world.entra.fail.emplace_back(
      "read", graph::GraphError{graph::Fault::kMissingPermission, {}, "403: grant X", {}});
  world.Pass(hours(10));
  CHECK(world.rotations->Find("app")->failure.find("grant X") != std::string::npos);
  const size_t tried = world.ledger.entries.size();
  world.Pass(seconds(1800));
  CHECK(world.ledger.entries.size() <= tried + 1);
  world.Restart();
  world.entra.fail.clear();
  world.Pass(hours(3));
  CHECK(world.Keys() == "key-1");
  CHECK(world.rotations->Find("app")->failure.empty());
}

TEST_CASE("One that fails over and over is stuck, says why, and goes on when it can") {
  World world;
  REQUIRE(world.rotations->Start("app", {.grace = seconds(1)}).has_value());
  world.Pass(seconds(1));
  world.entra.fail.emplace_back(
      "remove", graph::GraphError{graph::Fault::kUnavailable, {}, "Graph answered 503", {}});
  world.Pass(seconds(300));
  const auto stuck = world.rotations->Find("app");
  CHECK(stuck->stuck);
  CHECK(stuck->trouble == "Graph answered 503");
  CHECK(world.Keys() == "key-old key-1");
  world.entra.fail.clear();
  world.Pass(seconds(60));
  CHECK_FALSE(world.rotations->Find("app")->stuck);
  CHECK(world.Keys() == "key-1");
}

TEST_CASE("A credential that left the configuration meanwhile waits for its return") {
  World world;
  REQUIRE(world.rotations->Start("app", {.grace = seconds(1)}).has_value());
  const auto before = world.config;
  world.config = std::make_shared<const policy::Config>();
  world.Pass(seconds(30));
  CHECK(world.rotations->Find("app")->stuck);
  CHECK(world.Keys() == "key-old");
  world.config = before;
  world.Pass(seconds(30));
  CHECK(world.Keys() == "key-1");
}

TEST_CASE("A ledger that cannot write lets nothing go on") {
  World world;
  REQUIRE(world.rotations->Start("app", {.grace = seconds(1)}).has_value());
  world.ledger.fail_with = ErrorCode::kUnavailable;
  world.Pass(seconds(60));
  CHECK(world.vault.Fetch({"app", SecretKind::kClientSecret})->version == "1");
  world.ledger.fail_with.reset();
  world.Pass(seconds(60));
  CHECK(world.Keys() == "key-1");
}

TEST_CASE("The client secret of a refresh token's registration is rotated when asked for") {
  World world;
  auto changed = *world.config;
  changed.credentials["user"].confidential = true;
  changed.credentials["user"].vault = "corp";  // where its refresh token is
  world.config = std::make_shared<const policy::Config>(std::move(changed));
  REQUIRE(
      world.vault.store.Put({"user", SecretKind::kClientSecret}, Secret::CopyOf("old~secret"), 0)
          .has_value());
  const Rotation::Ask ask{.grace = seconds(60), .client_secret = true};
  CHECK(world.rotations->DryRun("user", ask)->back().find("key-old") != std::string::npos);
  REQUIRE(world.rotations->Start("user", ask).has_value());
  CHECK(world.rotations->Start("user", ask).error().reason == Reason::kConflict);
  world.Restart();
  world.Pass(seconds(30));
  REQUIRE(world.rotations->Find("user").has_value());
  CHECK(world.rotations->Find("user")->client_secret);
  CHECK(world.rotations->Find("user")->credential == "user");
  CHECK(world.rotations->Find("user")->step == RotationStep::kGrace);
  CHECK(world.switched == std::vector<std::string>{"user"});
  // The refresh token is another matter.
  CHECK_FALSE(world.vault.Fetch({"user", SecretKind::kRefreshToken}).has_value());
  world.Pass(seconds(60));
  CHECK(world.Keys() == "key-1");
  world.revocations.Add("user");
  CHECK(world.rotations->Start("user", ask).error().reason == Reason::kCredentialRevoked);
  for (const char* name : {"app", "vm"}) {
    CHECK(world.rotations->Start(name, ask).error().reason == Reason::kValueOutOfRange);
  }
}

TEST_CASE("A revoked credential is not rotated, by nobody and on no schedule") {
  World world(hours(10));
  world.Pass(hours(1));
  world.revocations.Add("app");
  world.revocations.Add("user");
  for (const char* name : {"app", "user"}) {
    CAPTURE(name);
    CHECK(world.rotations->Start(name, {}).error().reason == Reason::kCredentialRevoked);
    CHECK(world.rotations->DryRun(name, {}).error().reason == Reason::kCredentialRevoked);
  }
  world.Pass(hours(20));
  CHECK(world.entra.added == 0);
  CHECK(world.rotations->Find("app")->failure.empty());
  world.revocations.Lift("app");
  world.Pass(seconds(60));
  CHECK(world.entra.added == 1);
}

TEST_CASE("A revocation ends the grace period of what is under way, also in another process") {
  for (const bool restarted : {false, true}) {
    World world;
    world.entra.others_token = true;
    REQUIRE(world.rotations->Start("app", {.grace = hours(24)}).has_value());
    world.Pass(seconds(60));
    CHECK(world.rotations->Find("app")->step == RotationStep::kGrace);
    world.revocations.Add("app");
    if (restarted) world.Restart();
    world.rotations->Wake();
    world.Pass(seconds(10));
    CHECK(world.rotations->Find("app")->step == RotationStep::kIdle);
    CHECK(world.Keys() == "key-1");
  }
}

TEST_CASE("A stop of all agents is none of rotations: what was leaked is replaced meanwhile") {
  World world;
  world.ledger.refuses = [](const auto& entry) { return !entry.agent.empty(); };
  REQUIRE(world.rotations->Start("app", {.grace = seconds(1)}).has_value());
  world.Pass(seconds(60));
  CHECK(world.Keys() == "key-1");
}

TEST_CASE("A refresh token is rotated by redeeming it, and must have become another one") {
  World world;
  const auto done = world.rotations->Start("user", {});
  REQUIRE(done.has_value());
  CHECK(done->new_version == "1");
  CHECK(done->step == RotationStep::kIdle);
  world.renews = false;
  CHECK(world.rotations->Start("user", {}).error().reason == Reason::kUpstreamInvalid);
  world.refuse = true;
  CHECK(world.rotations->Start("user", {}).error().reason == Reason::kLoginRequired);
  CHECK(world.rotations->Find("user")->failure == "no");
}
