// Minter: keys that sign elsewhere, and kinds that no port serves.
#include <doctest/doctest.h>

#include "broker/base/base64.h"
#include "broker/entra/client_assertion.h"
#include "test/broker/credential_kinds_setup.h"

using namespace credential_kinds;
using namespace entra_answers;
using broker::ErrorCode, broker::Reason, broker::Secret;

TEST_CASE("A key that never leaves its vault signs the digest of an assertion, each time anew") {
  Setup setup;
  setup.Add({.name = "hsm", .kind = "key-vault-key", .client_id = kClient, .vault = "corp"});
  setup.http.Push(503, "");
  setup.http.Push(200, TokenBody(AppClaims()));
  const auto token = setup.Mint("hsm");
  REQUIRE(token.has_value());
  CHECK((*token)->credential_version == "v1");
  REQUIRE(setup.signer.digests.size() == 2);
  CHECK(setup.signer.digests[0] != setup.signer.digests[1]);
  const std::string body = setup.Body(1);
  const size_t at = body.find(kAssertion) + std::string(kAssertion).size();
  const std::string jwt = body.substr(at, body.find('&', at) - at);
  const size_t dot = jwt.rfind('.');
  CHECK(broker::entra::DigestOf(jwt.substr(0, dot)) == setup.signer.digests[1]);
  CHECK(jwt.substr(dot + 1) == broker::Base64UrlEncode("signed by hsm v1"));

  struct Row {
    ErrorCode code;
    Reason reason;
  };
  for (const Row& row : {Row{ErrorCode::kNotFound, Reason::kCredentialUnavailable},
                         Row{ErrorCode::kDenied, Reason::kCredentialUnavailable},
                         Row{ErrorCode::kUnavailable, Reason::kStoreUnavailable},
                         Row{ErrorCode::kCorrupt, Reason::kStoreUnavailable}}) {
    setup.signer.fail_with = row.code;
    CHECK(ReasonOf(setup.Mint("hsm")) == row.reason);
    setup.signer.fail_with.reset();
    setup.minter.Forget("hsm");
    setup.signer.fail_signing_with = row.code;
    CHECK(ReasonOf(setup.Mint("hsm")) == row.reason);
    setup.signer.fail_signing_with.reset();
    setup.minter.Forget("hsm");
  }
  CHECK(setup.http.seen.size() == 2);
}

TEST_CASE(
    "A signature by a vault's key stands in the ledger, with version and host, before it is made") {
  Setup setup;
  setup.Add({.name = "hsm", .kind = "key-vault-key", .client_id = kClient, .vault = "corp"});
  setup.http.Push(200, TokenBody(AppClaims()));
  size_t before = 0;
  setup.signer.before_signing = [&] { before = setup.ledger.entries.size(); };
  REQUIRE(setup.Mint("hsm").has_value());
  REQUIRE(before == 2);  // that the credential is used, and what it is
  const auto& entry = setup.ledger.entries[1];
  CHECK(entry.type == broker::ledger::EntryType::kCredentialAccess);
  CHECK(entry.credential_name == "hsm");
  CHECK(entry.credential_version == "v1");
  CHECK(entry.target_kind == "vault");
  CHECK(entry.target_id == "corp.vault.azure.net");

  setup.signer.digests.clear();
  setup.ledger.refuses = [](const auto& one) { return one.target_kind == "vault"; };
  CHECK_FALSE(setup.Mint("hsm").has_value());
  CHECK(setup.signer.digests.empty());
  CHECK(setup.http.seen.size() == 1);
}

TEST_CASE("What no port serves is refused, not sent without proof") {
  Setup setup;
  setup.Add({.name = "hsm", .kind = "key-vault-key", .client_id = kClient});
  setup.Add({.name = "new", .kind = "invented", .client_id = kClient});
  setup.Add({.name = "lost", .kind = "on-behalf-of", .client_id = kClient, .proof = "gone"});
  broker::Minter bare({setup.http, setup.vault, setup.ledger, setup.clock, setup.random,
                       setup.sleeper, setup.fingerprint_key});
  for (const char* name : {"hsm", "new", "lost"}) {
    CAPTURE(name);
    const broker::TokenKey key{name, kGraph, {".default"}, "", ""};
    const Secret user = Secret::CopyOf("Tc");
    CHECK(ReasonOf(bare.Mint(setup.config, setup.config.credentials.at(name), key, setup.who,
                             &user)) == Reason::kInternal);
  }
  CHECK(setup.http.seen.empty());
}
