#include "vault_adapters/sealed.h"

#include <doctest/doctest.h>

#include "test/fakes/fake_store.h"

using broker::ErrorCode, broker::Secret, broker::SecretId, broker::SecretKind;

TEST_CASE("The embedded vault passes secrets and versions through") {
  FakeStore store;
  vault::Sealed vault(store);
  const SecretId id{"aid-mail", SecretKind::kRefreshToken};
  CHECK(vault.Fetch(id).error().code == ErrorCode::kNotFound);
  CHECK(vault.Replace(id, "0", Secret::CopyOf("one")).value() == "1");
  CHECK(vault.Replace(id, "1", Secret::CopyOf("two")).value() == "2");
  CHECK(vault.Replace(id, "1", Secret::CopyOf("three")).error().code == ErrorCode::kConflict);
  const auto got = vault.Fetch(id);
  REQUIRE(got.has_value());
  CHECK(got->value.Expose(broker::Exit::kTest) == "two");
  CHECK(got->version == "2");
  store.fail_with = ErrorCode::kUnavailable;
  CHECK(vault.Fetch(id).error().code == ErrorCode::kUnavailable);
}

TEST_CASE("A version that this vault did not give is refused") {
  FakeStore store;
  vault::Sealed vault(store);
  for (const char* version : {"", "01", "-1", "+1", " 1", "1 ", "x", "18446744073709551616"}) {
    CAPTURE(version);
    const auto put = vault.Replace({"n", SecretKind::kInternal}, version, Secret::CopyOf("v"));
    CHECK(put.error().code == ErrorCode::kInvalidRequest);
  }
}
