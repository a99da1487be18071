#include "sidecar/broker/fingerprint_key.h"

#include <doctest/doctest.h>

#include "test/fakes/fake_random.h"
#include "test/fakes/fake_store.h"

using broker::ErrorCode, broker::Exit, broker::Secret;
using sidecar::broker_role::FingerprintKey;

namespace {

const broker::SecretId kId{"fingerprint-key", broker::SecretKind::kInternal};

std::string TextOf(const FingerprintKey& key) {
  return std::string(key.value().Expose(Exit::kTest));
}

}  // namespace

TEST_CASE("The key is made once for a store, and is the same in each life of the broker") {
  FakeStore store;
  FakeRandom random;
  FingerprintKey first(store, random);
  REQUIRE(first.Load().has_value());
  CHECK(store.Get(kId)->value.Expose(Exit::kTest) == TextOf(first));
  const std::string made = TextOf(first);
  REQUIRE(first.Load().has_value());
  CHECK(TextOf(first) == made);

  FingerprintKey second(store, random);
  REQUIRE(second.Load().has_value());
  CHECK(TextOf(second) == made);
  CHECK(store.Get(kId)->version == 1);
}

TEST_CASE("A store that cannot be read, or has another kind of key, gives none") {
  FakeStore store;
  FakeRandom random;
  FingerprintKey key(store, random);
  store.fail_with = ErrorCode::kUnavailable;
  CHECK(key.Load().error().code == ErrorCode::kUnavailable);
  store.fail_with.reset();
  REQUIRE(store.Put(kId, Secret::CopyOf("short"), 0).has_value());
  CHECK(key.Load().error().code == ErrorCode::kCorrupt);
  CHECK(TextOf(key) == std::string(broker::Minter::kFingerprintKeyBytes, '\0'));
}
