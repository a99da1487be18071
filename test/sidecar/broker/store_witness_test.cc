#include "sidecar/broker/store_witness.h"

#include <doctest/doctest.h>

#include "test/fakes/fake_ledger.h"

using broker::SecretKind, broker::ledger::EntryType, broker::ledger::Outcome;
using sidecar::broker_role::LedgerStoreWitness;

TEST_CASE("A change of the store is announced as pending and confirmed as done") {
  FakeLedger ledger;
  LedgerStoreWitness witness(ledger);
  REQUIRE(witness.Intend(7, {"aid-mail", SecretKind::kRefreshToken}, 1));
  REQUIRE(witness.Confirm(7, {"aid-mail", SecretKind::kRefreshToken}, 1));
  REQUIRE(witness.Intend(8, {"aid-mail", SecretKind::kRefreshToken}, 2));
  REQUIRE(ledger.entries.size() == 3);
  CHECK(ledger.entries[0].type == EntryType::kSecretEnrolled);
  CHECK(ledger.entries[0].outcome == Outcome::kPending);
  CHECK(std::get<int64_t>(ledger.entries[0].change.at("generation")) == 7);
  CHECK(ledger.entries[1].outcome == Outcome::kSuccess);
  CHECK(ledger.entries[2].type == EntryType::kSecretRotated);
  CHECK(ledger.entries[2].credential_version == "2");
}

TEST_CASE("Without a ledger the change is not announced, so that the store refuses it") {
  FakeLedger ledger;
  ledger.fail_with = broker::ErrorCode::kUnavailable;
  LedgerStoreWitness witness(ledger);
  CHECK_FALSE(witness.Intend(1, {"a", SecretKind::kClientSecret}, 1).has_value());
}
