// What the tests of one rotation share: all that outlives a process, and a process that may die.
#pragma once
#include <doctest/doctest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "broker/credential_access.h"
#include "broker/key_reference.h"
#include "broker/rotation.h"
#include "test/fakes/fake_app_registration.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/fake_key_versions.h"
#include "test/fakes/fake_ledger.h"
#include "test/fakes/fake_random.h"
#include "test/fakes/fake_store.h"
#include "test/fakes/fake_vault_writer.h"

namespace rotation_test {

using namespace broker;
using graph::Fault, graph::GraphError;
using ledger::EntryType, ledger::Outcome;
using std::chrono::seconds;

struct Crash {};

// Making a key takes a tenth of a second: no world needs more than three.
inline Result<Secret> NextCertificate(const entra::CertificateTerms& terms) {
  static std::vector<Secret> made;
  static size_t next = 0;
  while (made.size() < 3) made.push_back(entra::MakeClientCertificate(terms).value());
  return made[next++ % made.size()].Clone();
}

/// The journal, or the vault, of a process that may die before or after it is written.
class CrashingStore final : public SealedStore {
 public:
  CrashingStore(FakeStore& store, const std::function<void()>& effect)
      : store_(store), effect_(effect) {}
  Result<StoredSecret> Get(const SecretId& id) override { return store_.Get(id); }
  Result<uint64_t> Put(const SecretId& id, const Secret& value,
                       std::optional<uint64_t> expected) override {
    effect_();
    auto put = store_.Put(id, value, expected);
    effect_();
    return put;
  }
  Result<std::vector<StoredSecretInfo>> List() override { return store_.List(); }

 private:
  FakeStore& store_;
  const std::function<void()>& effect_;
};

class CrashingVault final : public Vault {
 public:
  CrashingVault(FakeVault& vault, const std::function<void()>& effect)
      : vault_(vault), effect_(effect) {}
  VaultResult<VaultSecret> Fetch(const SecretId& id) override { return vault_.Fetch(id); }
  VaultResult<std::string> Replace(const SecretId& id, const std::string& expected,
                                   const Secret& value) override {
    effect_();
    auto replaced = vault_.Replace(id, expected, value);
    effect_();
    return replaced;
  }

 private:
  FakeVault& vault_;
  const std::function<void()>& effect_;
};

/// What outlives a process, and one process after another that works with it.
struct World {
  explicit World(bool certificate) : entra(certificate) {
    config.instance.name = "test";
    credential.name = "app";
    credential.kind = certificate ? "certificate" : "client-secret";
    credential.client_id = "client-1";
    Secret old = Secret::CopyOf("old~secret");
    if (certificate) {
      static const Secret kOld =
          entra::MakeClientCertificate({"old", clock.WallNow(), clock.WallNow() + Rotation::kLife})
              .value();
      old = kOld.Clone();
    }
    entra.held.push_back({"key-old", "by hand", entra.NameOf(old), 0});
    REQUIRE(vault.store.Put(id(), old, 0).has_value());
    entra.before = entra.after = [this](const char*) { effect(); };
  }
  /// The same with a key that never leaves its vault, in a version that somebody made by hand.
  void KeepKeyInVault() {
    credential.kind = "key-vault-key";
    credential.vault = "corp";
    versions.Add({});
    entra.held.front().secret = entra.NameOf(EncodeKeyReference(versions.versions.front()));
    versions.effect = [this] { effect(); };
  }
  [[nodiscard]] bool IsKey() const { return credential.kind == "key-vault-key"; }
  [[nodiscard]] std::string place() const { return KeyPlace(credential.vault, credential.secret); }
  [[nodiscard]] SecretId id() const { return {"app", *SecretKindOf(credential)}; }

  Rotation::Ports ports() {
    return {journal, crashing_vault,   ledger,       clock,   random,
            entra,   &NextCertificate, &revocations, &writer, &versions};
  }
  Rotation rotation() { return {ports(), config, credential, memory}; }
  std::expected<void, Refusal> Begin(const Rotation::Ask& ask = {}) {
    return rotation().Begin(ask);
  }

  /// As `purser revoke`: refused from now on, and destroyed where purser keeps it.
  void Revoke() {
    revocations.Add("app");
    if (IsKey()) return;
    REQUIRE(vault.store.Put(id(), Secret(), std::nullopt).has_value());
  }
  /// What is in use must work at every moment.
  void CheckInUse() {
    if (revocations.Has("app")) return;
    if (IsKey()) {
      const auto active = ActiveVersion(rows, "app", place());
      REQUIRE(active.has_value());
      const auto key = versions.Look("app", *active);
      REQUIRE(key.has_value());
      CHECK(key->enabled);
      CHECK(entra.Works(EncodeKeyReference(*key)));
      return;
    }
    const auto current = vault.Fetch(id());
    REQUIRE(current.has_value());
    CHECK(entra.Works(current->value));
  }
  RotationJournal Journal() {
    return ParseRotationJournal(rows.Get(RotationJournalId("app")).value().value).value();
  }
  /// Steps until nothing is left to do, or until `until`; the clock goes along.
  void Run(std::optional<RotationStep> until = std::nullopt) {
    for (int i = 0; i < 5000; ++i) {
      const auto state = rotation().Advance();
      REQUIRE(state.has_value());
      CheckInUse();
      if (state->step == RotationStep::kIdle || state->step == until) return;
      const auto wait = state->next - clock.WallNow();
      if (wait.count() > 0) clock.Advance(wait);
    }
    FAIL("it does not end");
  }
  std::string Keys() const {
    std::string keys;
    for (const auto& one : entra.held) keys += (keys.empty() ? "" : " ") + one.key_id;
    return keys;
  }
  std::string Steps(Outcome outcome) {
    std::string steps;
    for (const auto& entry : ledger.entries) {
      if (entry.type != EntryType::kSecretRotated || entry.outcome != outcome) continue;
      steps += (steps.empty() ? "" : " ") + std::get<std::string>(entry.change.at("step"));
    }
    return steps;
  }

  policy::Config config;
  policy::Credential credential;
  FakeStore rows;
  FakeVault vault;
  FakeLedger ledger;
  FakeClock clock;
  FakeRandom random;
  Revocations revocations;
  FakeVaultWriter writer;
  FakeKeyVersions versions;
  FakeAppRegistration entra;
  RotationMemory memory;
  int effects = 0;
  int dies_at = -1, revoked_at = -1;
  std::function<void()> effect = [this] {
    CheckInUse();
    const int at = effects++;
    if (at == revoked_at) Revoke();
    if (at == dies_at) throw Crash{};
  };
  CrashingStore journal{rows, effect};
  CrashingVault crashing_vault{vault, effect};
};

inline const GraphError kDenied{
    Fault::kMissingPermission, "Authorization_RequestDenied", "Graph answered 403: grant X", {}};
inline const GraphError kDown{Fault::kUnavailable, {}, "Graph answered 503", {}};
inline const GraphError kNo{Fault::kRefused, "Request_BadRequest", "Graph answered 400", {}};

}  // namespace rotation_test
