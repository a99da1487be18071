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

namespace {

const std::string kOpen = "/v1/credentials/refresh-token/login/browser";
const std::string kRedirect = "/v1/credentials/refresh-token/login/redirect";

// Opens a login by browser; its answer as the command sends it.
struct BrowserFixture : Fixture {
  BrowserFixture() {
    opened = Ask(kOperator, "POST", kOpen, R"({"port":40123})").body;
    id = opened.value("id", "");
    good = "/?code=the-code&state=" + opened.value("state", "");
  }
  std::string Body(const std::string& login, std::string_view redirect) {
    json body = json::parse(Sealed(redirect));
    body["id"] = login;
    return body.dump();
  }
  Reply Finish(std::string_view redirect, const Peer& peer = kOperator) {
    return Ask(peer, "POST", kRedirect, Body(id, redirect));
  }
  json opened;
  std::string id, good;
};

}  // namespace

TEST_CASE("A login by browser is opened with all that the command needs, and nothing secret") {
  BrowserFixture f;
  const std::string url = f.opened["url"];
  CHECK(url.find("redirect_uri=http%3A%2F%2Flocalhost%3A40123&") != std::string::npos);
  CHECK(url.find("&state=" + f.opened["state"].get<std::string>()) != std::string::npos);
  CHECK(url.find("login_hint") == std::string::npos);
  CHECK(f.opened["expires_in"] == 900);
  CHECK(f.opened["advice"].get<std::string>().find("az ad app update") != std::string::npos);
  CHECK(f.opened.size() == 5);
  const auto hinted =
      f.Ask(kOperator, "POST", kOpen, R"({"port":1,"login_hint":"jo@contoso.example"})");
  CHECK(hinted.body["url"].get<std::string>().ends_with("&login_hint=jo%40contoso.example"));
  CHECK(f.http.seen.empty());
}

TEST_CASE("What opens no login by browser") {
  struct Row {
    const char* why;
    std::string path;
    std::string body;
    const char* reason;
  };
  const Row rows[] = {
      {"no port", kOpen, "{}", "missing_field"},
      {"no body", kOpen, "", "missing_field"},
      {"port 0", kOpen, R"({"port":0})", "value_out_of_range"},
      {"a port beyond all", kOpen, R"({"port":65536})", "value_out_of_range"},
      {"a negative port", kOpen, R"({"port":-1})", "wrong_type"},
      {"a port in words", kOpen, R"({"port":"80"})", "wrong_type"},
      {"a hint that is a number", kOpen, R"({"port":1,"login_hint":1})", "wrong_type"},
      {"a hint longer than addresses are", kOpen,
       R"({"port":1,"login_hint":")" + std::string(255, 'x') + "\"}", "value_out_of_range"},
      {"a redirect URI of one's own", kOpen, R"({"port":1,"redirect_uri":"http://x"})",
       "unknown_field"},
      {"an unknown credential", "/v1/credentials/x/login/browser", R"({"port":1})", "not_found"},
      {"one that a person does not log in for", "/v1/credentials/certificate/login/browser",
       R"({"port":1})", "value_out_of_range"},
  };
  Fixture f;
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(f.Ask(kOperator, "POST", row.path, row.body).reason() == row.reason);
  }
  for (const Peer& peer : {kAuditor, kStranger}) {
    CHECK(f.Ask(peer, "POST", kOpen, R"({"port":1})").reason() == "role_missing");
  }
}

TEST_CASE("What is no answer of this login leaves it as it is") {
  BrowserFixture f;
  for (const char* other : {"/", "/?code=x", "/?code=x&state=other", "/?error=access_denied"}) {
    CAPTURE(other);
    CHECK(f.Finish(other).reason() == "value_out_of_range");
  }
  CHECK(f.Ask(kOperator, "POST", "/v1/credentials/certificate/login/redirect", f.Body(f.id, f.good))
            .reason() == "not_found");
  CHECK(f.Ask(kOperator, "POST", kRedirect, f.Body("00ff", f.good)).reason() == "not_found");
  CHECK(f.Ask(kOperator, "POST", kRedirect, R"({"id":1,"sealed":""})").reason() == "wrong_type");
  CHECK(f.Ask(kOperator, "POST", kRedirect, R"({"id":"00ff"})").reason() == "missing_field");
  CHECK(f.Ask(kOperator, "GET", "/v1/logins/" + f.id).reason() == "not_found");
  for (const Peer& peer : {kAuditor, kStranger}) {
    CHECK(f.Finish(f.good, peer).reason() == "role_missing");
  }
  CHECK(f.http.seen.empty());
  f.http.Push(400, R"({"error":"invalid_grant","error_codes":[70008]})");
  CHECK(f.Finish(f.good).reason() == "login_required");  // it got through to Entra
}

TEST_CASE("An answer ends its login, whatever comes of it") {
  BrowserFixture declined;
  const std::string state = declined.opened["state"];
  CHECK(declined.Finish("/?error=access_denied&state=" + state).reason() == "login_required");
  CHECK(declined.Finish(declined.good).reason() == "not_found");

  BrowserFixture late;
  late.clock.Advance(Logins::kBrowserLogin + std::chrono::seconds(1));
  CHECK(late.Finish(late.good).reason() == "not_found");
  CHECK(late.http.seen.empty());

  BrowserFixture unreachable;
  unreachable.http.PushFailure(ErrorCode::kUnavailable, "timeout");
  CHECK(unreachable.Finish(unreachable.good).reason() == "upstream_unavailable");
  CHECK(unreachable.Finish(unreachable.good).reason() == "not_found");
  CHECK(unreachable.http.seen.size() == 1);

  BrowserFixture recorded;
  recorded.http.Push(400, R"({"error":"invalid_grant","error_codes":[70008]})");
  recorded.Finish(recorded.good);
  const auto& last = recorded.ledger.entries.back();
  CHECK(last.target_id == "POST " + kRedirect);
  REQUIRE(last.caller.has_value());
  CHECK(last.caller->uid == kOperator.caller.facts.uid);
  CHECK(last.reason == "login_required");
}

TEST_CASE("Logins by browser and by code share their number") {
  Fixture f;
  for (size_t i = 0; i < Logins::kMaxLogins; ++i) {
    REQUIRE(f.Ask(kOperator, "POST", kOpen, R"({"port":1})").status == 200);
  }
  CHECK(f.Ask(kOperator, "POST", kOpen, R"({"port":1})").reason() == "overloaded");
  CHECK(f.Ask(kOperator, "POST", "/v1/credentials/refresh-token/login").reason() == "overloaded");
  f.clock.Advance(Logins::kBrowserLogin + std::chrono::seconds(1));
  CHECK(f.Ask(kOperator, "POST", kOpen, R"({"port":1})").status == 200);
}
