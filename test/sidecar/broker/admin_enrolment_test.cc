// AdminService: enrolling a credential's secret or its user.
#include <doctest/doctest.h>

#include "sidecar/broker/admin_service.h"
#include "test/fakes/test_certificate.h"
#include "test/sidecar/broker/admin_fixture.h"

using namespace admin_test;
using namespace sidecar::broker_role;

namespace {

constexpr const char* kPrompt =
    R"({"device_code":"d","user_code":"ABC-123","verification_uri":"https://microsoft.com/devicelogin","expires_in":900,"interval":5})";

}  // namespace

TEST_CASE("A secret that does not fit its credential does not replace a good one") {
  const auto good = TestCertificate::Rsa();
  const auto other = TestCertificate::Rsa();
  // clang-format off
  struct Row { const char* why; const char* credential; std::string secret; bool stored; };
  const Row rows[] = {
      {"a key alone",                   "certificate",   good.KeyPem(),                                    false},
      {"a certificate alone",           "certificate",   good.CertificatePem(),                            false},
      {"another key's certificate",     "certificate",   good.KeyPem() + other.CertificatePem(),           false},
      {"an encrypted key",              "certificate",   good.KeyPem("secret") + good.CertificatePem(),    false},
      {"a key that Entra takes not",    "certificate",   TestCertificate::Rsa(1024).KeyPem() + good.CertificatePem(), false},
      {"a client secret",               "certificate",   "Abc~123",                                        false},
      {"a PEM file",                    "client-secret", good.KeyPem() + good.CertificatePem(),            false},
      {"a secret with a space",         "client-secret", "Abc 123",                                        false},
      {"a secret with an umlaut",       "client-secret", "\xc3\xbc",                                       false},
      {"a key with its certificate",    "certificate",   good.KeyPem() + good.CertificatePem(),            true},
      {"a certificate with its key",    "certificate",   good.CertificatePem() + good.KeyPem(),            true},
      {"a client secret of its own",    "client-secret", "Abc~123",                                        true},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Fixture f;
    const std::string path = "/v1/credentials/" + std::string(row.credential) + "/secret";
    const auto reply = f.Ask(kOperator, "PUT", path, f.Sealed(row.secret));
    CHECK(f.vault.store.List()->size() == (row.stored ? 1 : 0));
    CHECK(f.cache.evicted.size() == (row.stored ? 1 : 0));
    CHECK(reply.status == (row.stored ? 200 : 400));
    CHECK(reply.body.dump().find("Abc") == std::string::npos);
    for (const auto& entry : f.ledger.entries) CHECK(entry.change.empty());
  }
}

TEST_CASE("A box for another key, as after a restart of the broker, is refused") {
  Fixture before, after;
  CHECK(after.Ask(kOperator, "POST", "/v1/unseal", before.Sealed("right")).reason() ==
        "value_out_of_range");
  CHECK(after.done.empty());
}

TEST_CASE("No more logins are opened at Entra than are kept here") {
  Fixture f;
  f.http.respond = [](const auto&) { return FakeHttp::Answer(200, kPrompt); };
  const auto start = [&] {
    return f.Ask(kOperator, "POST", "/v1/credentials/refresh-token/login");
  };
  for (size_t i = 0; i < Logins::kMaxLogins; ++i) REQUIRE(start().status == 200);
  const size_t asked = f.http.seen.size();
  CHECK(start().reason() == "overloaded");
  CHECK(f.http.seen.size() == asked);
  f.clock.Advance(std::chrono::minutes(16));  // all of them have expired
  CHECK(start().status == 200);
}

TEST_CASE("A login that could not begin takes no place") {
  Fixture f;
  for (size_t i = 0; i < 2 * Logins::kMaxLogins; ++i) {
    CHECK(f.Ask(kOperator, "POST", "/v1/credentials/refresh-token/login").reason() ==
          "upstream_unavailable");
  }
  f.http.Push(200, kPrompt);
  const auto begun = f.Ask(kOperator, "POST", "/v1/credentials/refresh-token/login");
  REQUIRE(begun.status == 200);
  CHECK(begun.body["user_code"] == "ABC-123");
  const std::string poll = "/v1/logins/" + begun.body["id"].get<std::string>();
  f.http.Push(400, R"({"error":"authorization_pending","error_codes":[70016]})");
  CHECK(f.Ask(kOperator, "GET", poll).body["done"] == false);
  f.http.Push(400, R"({"error":"authorization_declined"})");
  CHECK(f.Ask(kOperator, "GET", poll).reason() == "login_required");
  CHECK(f.Ask(kOperator, "GET", poll).reason() == "not_found");
}

TEST_CASE("What a registration is consented to beyond the configuration is named") {
  const broker::policy::Credential credential{
      .name = "mail", .scopes = {"Mail.Read", "https://vault.azure.net/user_impersonation"}};
  using Names = std::vector<std::string>;
  CHECK(OverConsented(credential, {"Mail.Read", "openid", "offline_access"}).empty());
  CHECK(OverConsented(credential, {"user_impersonation"}).empty());
  CHECK(OverConsented(credential, {"Mail.Read", "Mail.Send"}) == Names{"Mail.Send"});
  CHECK(OverConsented(credential, {"Mail.ReadWrite"}) == Names{"Mail.ReadWrite"});
}
