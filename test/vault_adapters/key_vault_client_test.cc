#include "vault_adapters/key_vault_client.h"

#include "test/vault_adapters/key_vault_fixture.h"

using broker::ErrorCode;
using key_vault::ErrorBody, key_vault::Fixture;
using std::chrono::seconds;
using vault::GetSecretRequest, vault::KeyVaultOperation, vault::KeyVaultProblem;

namespace {

vault::KeyVaultRequest Ask() { return GetSecretRequest({"app-secret", {}}); }

}  // namespace

TEST_CASE("A request carries a token for the vault's resource, and its answer comes back") {
  Fixture t;
  t.http.Push(200, "{}");
  CHECK(t.client.Send(Ask()).has_value());
  REQUIRE(t.http.seen.size() == 1);
  CHECK(t.http.seen[0].method == "GET");
  CHECK(t.http.seen[0].url == key_vault::kUrl + "/secrets/app-secret?api-version=7.4");
  CHECK(t.http.seen[0].authorization == "Bearer token-1");
  CHECK(t.auth.resources == std::vector<std::string>{"https://vault.azure.net"});
}

TEST_CASE("A challenge is answered once, with a new token") {
  Fixture t;
  t.PushChallenge(key_vault::Challenge());
  t.http.Push(200, "{}");
  CHECK(t.client.Send(Ask()).has_value());
  REQUIRE(t.http.seen.size() == 2);
  CHECK(t.http.seen[1].authorization == "Bearer token-2");
  CHECK(t.http.seen[1].url == t.http.seen[0].url);

  t.PushChallenge(key_vault::Challenge());
  t.PushChallenge(key_vault::Challenge());
  const auto refused = t.client.Send(Ask());
  CHECK(refused.error().problem == KeyVaultProblem::kTokenRefused);
  CHECK(refused.error().code == ErrorCode::kDenied);
  CHECK(t.http.seen.size() == 4);
}

TEST_CASE("A challenge that leads elsewhere gets no token") {
  struct Row {
    const char* why;
    std::string challenge;
    KeyVaultProblem problem;
  };
  const Row rows[] = {
      {"no challenge", "", KeyVaultProblem::kInvalid},
      {"another scheme", "Basic realm=\"x\"", KeyVaultProblem::kInvalid},
      {"another tenant", key_vault::Challenge("99999999-0000-4000-8000-00000000abcd"),
       KeyVaultProblem::kUntrustedChallenge},
      {"another resource", key_vault::Challenge(key_vault::kTenant, "https://evil.example"),
       KeyVaultProblem::kUntrustedChallenge},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Fixture t;
    t.PushChallenge(row.challenge);
    const auto got = t.client.Send(Ask());
    CHECK(got.error().problem == row.problem);
    CHECK(t.http.seen.size() == 1);
    CHECK(t.auth.resources.size() == 1);
  }
}

TEST_CASE("A tenant that is configured as a domain is known in a challenge by its GUID") {
  constexpr const char* kGuid = "77777777-0000-4000-8000-000000000007";
  for (const bool known : {false, true}) {
    Fixture t;
    if (known) t.auth.tenant = kGuid;
    t.PushChallenge(key_vault::Challenge(kGuid));
    t.http.Push(200, "{}");
    const auto got = t.client.Send(Ask());
    CHECK(got.has_value() == known);
    if (!known) CHECK(got.error().problem == KeyVaultProblem::kUntrustedChallenge);
  }
}

TEST_CASE("Each refusal is what it is, and says what mends it") {
  struct Row {
    const char* why;
    KeyVaultOperation operation;
    int status;
    std::string body;
    KeyVaultProblem problem;
    ErrorCode code;
    const char* says;
  };
  using Op = KeyVaultOperation;
  using P = KeyVaultProblem;
  using E = ErrorCode;
  // clang-format off
  const Row rows[] = {
      {"role missing",       Op::kGetSecret, 403, ErrorBody("Forbidden", "ForbiddenByRbac"),     P::kRoleMissing,  E::kDenied, "assign it the role \"Key Vault Secrets User\""},
      {"role to write",      Op::kSetSecret, 403, ErrorBody("Forbidden", "ForbiddenByRbac"),     P::kRoleMissing,  E::kDenied, "\"Key Vault Secrets Officer\""},
      {"role to sign",       Op::kSign,      403, ErrorBody("Forbidden", "ForbiddenByRbac"),     P::kRoleMissing,  E::kDenied, "\"Key Vault Crypto User\""},
      {"role to unwrap",     Op::kUnwrapKey, 403, ErrorBody("Forbidden", "ForbiddenByRbac"),     P::kRoleMissing,  E::kDenied, "\"Key Vault Crypto Service Encryption User\""},
      {"access policy",      Op::kGetSecret, 403, ErrorBody("Forbidden", "AccessDenied"),        P::kRoleMissing,  E::kDenied, "the secret permission Get in the vault's access policies"},
      {"access policy too",  Op::kSign,      403, ErrorBody("Forbidden", "ForbiddenByPolicy"),   P::kRoleMissing,  E::kDenied, "the key permission Sign"},
      {"no inner code",      Op::kGetSecret, 403, ErrorBody("Forbidden"),                        P::kRoleMissing,  E::kDenied, "or with access policies"},
      {"not even JSON",      Op::kGetSecret, 403, "<html>",                                      P::kRoleMissing,  E::kDenied, "[403]"},
      {"firewall",           Op::kGetSecret, 403, ErrorBody("Forbidden", "ForbiddenByFirewall"), P::kNetworkRules, E::kDenied, "network rules refuse this machine"},
      {"private link only",  Op::kGetSecret, 403, ErrorBody("Forbidden", "ForbiddenByConnection"), P::kNetworkRules, E::kDenied, "private endpoint"},
      {"disabled",           Op::kGetSecret, 403, ErrorBody("Forbidden", "SecretDisabled"),      P::kDisabled,     E::kDenied, "enable it"},
      {"disabled in prose",  Op::kGetSecret, 403, ErrorBody("Forbidden", "", "Operation get is not allowed on a disabled secret."), P::kDisabled, E::kDenied, "enable it"},
      {"expired key",        Op::kSign,      403, ErrorBody("Forbidden", "KeyExpired"),          P::kExpired,      E::kDenied, "expired"},
      {"key of tomorrow",    Op::kSign,      403, ErrorBody("Forbidden", "KeyNotYetValid"),      P::kNotYetValid,  E::kDenied, "not valid yet"},
      {"missing",            Op::kSign,      404, ErrorBody("KeyNotFound"),                      P::kNotFound,     E::kNotFound, "[404 KeyNotFound]"},
      {"deleted name",       Op::kSetSecret, 409, ErrorBody("Conflict", "ObjectIsDeletedButRecoverable"), P::kDeleted, E::kDenied,   "az keyvault secret recover"},
      {"being deleted",      Op::kSetSecret, 409, ErrorBody("Conflict", "ObjectIsBeingDeleted"), P::kDeleted,      E::kDenied,   "can be recovered"},
      {"conflict",           Op::kSetSecret, 409, ErrorBody("Conflict"),                         P::kConflict,     E::kConflict, "read it again"},
      {"bad parameter",      Op::kSign,      400, ErrorBody("BadParameter"),                     P::kBadRequest,   E::kInvalidRequest, "check name and version"},
      {"outage",             Op::kGetSecret, 503, ErrorBody("ServiceUnavailable"),               P::kUnreachable,  E::kUnavailable, "[503 ServiceUnavailable]"},
      {"redirect",           Op::kGetSecret, 302, "",                                            P::kInvalid,      E::kCorrupt, "not an answer"},
      {"another 2xx",        Op::kGetSecret, 202, "",                                            P::kInvalid,      E::kCorrupt, "not an answer"},
      {"code as prose",      Op::kGetSecret, 403, ErrorBody("it was ada"),                       P::kRoleMissing,  E::kDenied, "[403]"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Fixture t;
    t.http.Push(row.status, row.body);
    auto request = Ask();
    request.operation = row.operation;
    const auto got = t.client.Send(request);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().problem == row.problem);
    CHECK(got.error().code == row.code);
    CAPTURE(got.error().detail);
    CHECK(got.error().detail.contains(row.says));
    CHECK(got.error().detail.starts_with("corp.vault.azure.net: "));
    CHECK_FALSE(got.error().detail.contains("ada"));
  }
}

TEST_CASE("Nothing is sent before Retry-After has passed") {
  Fixture t;
  t.PushThrottled(seconds(7));
  auto got = t.client.Send(Ask());
  CHECK(got.error().problem == KeyVaultProblem::kThrottled);
  CHECK(got.error().retry_after == seconds(7));
  const auto told = AsError(got.error(), "corp.vault.azure.net").error();
  CHECK(told.detail.contains("(again in 7 s)"));
  CHECK(told.retry_after == seconds(7));
  CHECK(told.host == "corp.vault.azure.net");

  t.clock.Advance(std::chrono::milliseconds(6500));
  got = t.client.Send(Ask());
  CHECK(got.error().problem == KeyVaultProblem::kThrottled);
  CHECK(got.error().retry_after == seconds(1));
  CHECK(t.http.seen.size() == 1);

  t.clock.Advance(std::chrono::milliseconds(500));
  t.http.Push(200, "{}");
  CHECK(t.client.Send(Ask()).has_value());
}

TEST_CASE("A wait that is not named, or beyond belief, has a bound") {
  Fixture unnamed;
  unnamed.PushThrottled(std::nullopt);
  CHECK(unnamed.client.Send(Ask()).error().retry_after == vault::kDefaultVaultRetryAfter);
  Fixture endless;
  endless.PushThrottled(std::chrono::hours(24));
  CHECK(endless.client.Send(Ask()).error().retry_after == vault::kMaxVaultRetryAfter);
  Fixture down;
  down.PushThrottled(seconds(20), 503);
  CHECK(down.client.Send(Ask()).error().retry_after == seconds(20));
}

TEST_CASE("A vault that cannot be reached is asked less and less, and then again at once") {
  Fixture t;
  seconds expected = vault::KeyVaultClient::kFirstPause;
  for (int failure = 0; failure < 10; ++failure) {
    t.http.PushFailure(ErrorCode::kUnavailable, "connect");
    const auto got = t.client.Send(Ask());
    CHECK(got.error().problem == KeyVaultProblem::kUnreachable);
    CHECK(got.error().retry_after == expected);
    CHECK(t.client.Send(Ask()).error().problem == KeyVaultProblem::kUnreachable);
    t.clock.Advance(expected);
    expected = std::min(expected * 2, vault::KeyVaultClient::kLongestPause);
  }
  CHECK(t.http.seen.size() == 10);
  t.http.Push(200, "{}");
  CHECK(t.client.Send(Ask()).has_value());
  t.http.PushFailure(ErrorCode::kUnavailable, "connect");
  CHECK(t.client.Send(Ask()).error().retry_after == vault::KeyVaultClient::kFirstPause);
}

TEST_CASE("A host that is not listed, and an identity that is not there, are no outage") {
  Fixture t;
  t.http.PushFailure(ErrorCode::kDenied, "the host is not listed");
  CHECK(t.client.Send(Ask()).error().code == ErrorCode::kDenied);
  t.auth.fail_with = ErrorCode::kNotFound;
  const auto got = t.client.Send(Ask());
  CHECK(got.error().problem == KeyVaultProblem::kNoToken);
  CHECK(got.error().code == ErrorCode::kNotFound);
  CHECK(got.error().detail.contains("no identity here"));
  CHECK(t.http.seen.size() == 1);
}
