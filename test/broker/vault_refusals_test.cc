// Minter: what a vault elsewhere does not give out, for good or for now, and what that leaves.
#include <doctest/doctest.h>

#include "broker/upstream_guard.h"
#include "test/broker/credential_kinds_setup.h"
#include "test/broker/mint_bench.h"

using namespace entra_answers;
using broker::ErrorCode, broker::Reason, broker::UpstreamGuard, broker::VaultError;
using credential_kinds::Setup;
using std::chrono::seconds;

namespace {

constexpr const char* kHost = "corp.vault.azure.net";

VaultError RefusalOf(ErrorCode code, std::optional<seconds> retry_after = {}) {
  VaultError error(broker::Error{code, "corp.vault.azure.net: it is disabled: enable it"});
  error.host = kHost;
  error.retry_after = retry_after;
  return error;
}

// A credential whose secret is in a vault elsewhere.
struct Vaulted : MinterBench {
  explicit Vaulted(const std::string& kind = "client-secret") : MinterBench(kind) {
    credential.vault = "corp";
  }
};

}  // namespace

TEST_CASE("What a vault refuses for good is an administrator's to mend, the rest may pass") {
  // clang-format off
  struct Row { const char* why; const char* kind; const char* vault; ErrorCode code; Reason reason; };
  const Row rows[] = {
      {"a role is missing, it is disabled, expired",  "client-secret", "corp", ErrorCode::kDenied,         Reason::kCredentialUnavailable},
      {"none of this name is there",                  "client-secret", "corp", ErrorCode::kNotFound,       Reason::kCredentialUnavailable},
      {"no vault can have one of this name",          "certificate",   "corp", ErrorCode::kInvalidRequest, Reason::kCredentialUnavailable},
      {"the vault throttles, or cannot be reached",   "client-secret", "corp", ErrorCode::kUnavailable,    Reason::kStoreUnavailable},
      {"something else answered than a vault",        "client-secret", "corp", ErrorCode::kCorrupt,        Reason::kStoreUnavailable},
      {"nobody has logged in yet",                    "refresh-token", "corp", ErrorCode::kNotFound,       Reason::kCredentialNotEnrolled},
      {"a refresh token that purser may not read",    "refresh-token", "corp", ErrorCode::kDenied,         Reason::kCredentialUnavailable},
      {"nobody has enrolled it in purser's own store", "client-secret", "",    ErrorCode::kNotFound,       Reason::kCredentialNotEnrolled},
      {"purser's own store refuses",                  "client-secret", "",     ErrorCode::kDenied,         Reason::kStoreUnavailable},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Vaulted t(row.kind);
    t.credential.vault = row.vault;
    t.vault.refuse_with = RefusalOf(row.code);
    CHECK(ReasonOf(t.Mint()) == row.reason);
    CHECK(t.http.seen.empty());
    const broker::ReasonInfo& info = broker::Describe(row.reason);
    CHECK(info.retryable == (row.reason == Reason::kStoreUnavailable));
    REQUIRE(t.ledger.entries.size() == 2);
    const auto& failed = t.ledger.entries[1];
    CHECK(failed.type == broker::ledger::EntryType::kCredentialAccess);
    CHECK(failed.outcome == broker::ledger::Outcome::kFailure);
    CHECK(failed.reason == info.name);
    CHECK(failed.target_kind == "vault");
    CHECK(failed.target_id == kHost);
  }
}

TEST_CASE("Of a signing key, too, a vault's refusal is not Entra's") {
  Setup t;
  t.Add({.name = "hsm", .kind = "key-vault-key", .client_id = kClient, .vault = "corp"});
  t.signer.fail_with = ErrorCode::kDenied;
  CHECK(credential_kinds::ReasonOf(t.Mint("hsm")) == Reason::kCredentialUnavailable);
  CHECK(t.http.seen.empty());
}

TEST_CASE(
    "A vault that refused for good is asked again after a pause, and serves without restart") {
  Vaulted t;
  t.vault.refuse_with = RefusalOf(ErrorCode::kDenied);
  for (int caller = 0; caller < 1000; ++caller) {
    CHECK(ReasonOf(t.Mint()) == Reason::kCredentialUnavailable);
  }
  CHECK(t.ledger.entries.size() == 2);  // one look, and what came of it
  const auto troubles = t.minter.Degraded();
  REQUIRE(troubles.size() == 1);
  CHECK(troubles[0].what ==
        "credential aid-mail: credential_unavailable since 2026-11-18T11:06:40Z");
  CHECK(troubles[0].detail.ends_with("it is disabled: enable it"));

  t.vault.refuse_with.reset();
  t.clock.Advance(UpstreamGuard::kRefusedSecretPause);
  t.http.Push(200, TokenBody(AppClaims()));
  CHECK(t.Mint().has_value());
  CHECK(t.minter.Degraded().empty());
}

TEST_CASE("A vault that asks to wait is not asked meanwhile, and the caller is told how long") {
  Vaulted t;
  t.vault.refuse_with = RefusalOf(ErrorCode::kUnavailable, seconds(7));
  const auto first = t.Mint();
  CHECK(ReasonOf(first) == Reason::kStoreUnavailable);
  CHECK(first.error().retry_after == seconds(7));
  t.clock.Advance(seconds(6));
  const auto second = t.Mint();
  CHECK(ReasonOf(second) == Reason::kStoreUnavailable);
  CHECK(second.error().retry_after == seconds(1));
  CHECK(t.ledger.entries.size() == 2);
  REQUIRE(t.minter.Degraded().size() == 1);
  CHECK(t.minter.Degraded()[0].what ==
        "credential aid-mail: store_unavailable since 2026-11-18T11:06:40Z");

  t.vault.refuse_with.reset();
  t.clock.Advance(seconds(1));
  t.http.Push(200, TokenBody(AppClaims()));
  CHECK(t.Mint().has_value());
  CHECK(t.minter.Degraded().empty());
}

TEST_CASE("What Entra says afterwards takes the place of what the vault said before") {
  Vaulted t;
  t.vault.refuse_with = RefusalOf(ErrorCode::kUnavailable);
  CHECK_FALSE(t.Mint().has_value());
  CHECK(t.minter.Degraded().size() == 1);
  t.vault.refuse_with.reset();
  t.http.Push(401, ErrorBody("invalid_client", 7000215));
  CHECK(ReasonOf(t.Mint()) == Reason::kCredentialRejected);
  REQUIRE(t.minter.Degraded().size() == 1);
  CHECK(t.minter.Degraded()[0].what.contains("credential_rejected"));
  CHECK(t.minter.Degraded()[0].detail.contains("AADSTS7000215"));
}
