#include "vault_adapters/vaults_by_credential.h"

#include <doctest/doctest.h>

#include "test/fakes/fake_store.h"

using broker::ErrorCode, broker::Exit, broker::Secret, broker::SecretId, broker::SecretKind;

namespace {

const SecretId kHere{"here", SecretKind::kClientSecret};
const SecretId kThere{"there", SecretKind::kClientSecret};

struct Two {
  FakeVault store, corp;
  vault::VaultsByCredential vaults{store, {{"there", corp}}};
  static void Put(FakeVault& vault, const SecretId& id, const char* text) {
    REQUIRE(vault.store.Put(id, Secret::CopyOf(text), std::nullopt).has_value());
  }
};

}  // namespace

TEST_CASE("Each credential is served by its vault, and by no other") {
  Two t;
  Two::Put(t.store, kHere, "ours");
  Two::Put(t.store, kThere, "left over");
  CHECK(t.vaults.Fetch(kHere)->value.Expose(Exit::kTest) == "ours");
  CHECK(t.vaults.Fetch(kThere).error().code == ErrorCode::kNotFound);
  Two::Put(t.corp, kThere, "theirs");
  CHECK(t.vaults.Fetch(kThere)->value.Expose(Exit::kTest) == "theirs");
  t.corp.store.fail_with = ErrorCode::kUnavailable;
  CHECK(t.vaults.Fetch(kThere).error().code == ErrorCode::kUnavailable);
  CHECK(t.vaults.Fetch(kHere).has_value());
}

TEST_CASE("What is replaced or forgotten is so in the credential's vault") {
  Two t;
  CHECK(t.vaults.Replace(kThere, "0", Secret::CopyOf("x")).has_value());
  CHECK(t.corp.store.Get(kThere).has_value());
  CHECK(t.store.store.Get(kThere).error().code == ErrorCode::kNotFound);
  t.vaults.Invalidate(kThere, "1");
  CHECK(t.corp.invalidated.size() == 1);
  CHECK(t.store.invalidated.empty());
}

TEST_CASE("purser's own keys are its store's, whatever a credential is called") {
  Two t;
  const SecretId key{"there", SecretKind::kInternal};
  CHECK(t.vaults.Replace(key, "0", Secret::CopyOf("k")).has_value());
  CHECK(t.store.store.Get(key).has_value());
  CHECK(t.vaults.Fetch(key).has_value());
}
