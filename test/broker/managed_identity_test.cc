// Minter: what a platform proves, with its token or by handing one out.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "test/broker/credential_kinds_setup.h"

using namespace credential_kinds;
using namespace entra_answers;
using broker::Reason;
using broker::policy::Credential;
using std::chrono::seconds;

namespace {

constexpr const char* kArcEndpoint = "http://127.0.0.1:40342/metadata/identity/oauth2/token";
constexpr const char* kFolder = "/var/opt/azcmagent/tokens";

/// A 200 of a managed identity's endpoint.
std::string IdentityBody(const nlohmann::json& claims) {
  return nlohmann::json{{"access_token", Jwt(claims)}, {"expires_in", "3599"}}.dump();
}

Credential FromFile() {
  return {.name = "file", .kind = "federated", .client_id = kClient, .token_file = "/run/token"};
}
Credential Identity(const std::string& source = "imds") {
  return {.name = "host",
          .kind = "managed-identity",
          .client_id = kClient,
          .source = source,
          .endpoint = source == "azure-arc" ? kArcEndpoint : "http://169.254.169.254/token",
          .key_folder = kFolder};
}

}  // namespace

TEST_CASE("A platform's token is the assertion, read again for each request") {
  Setup setup;
  setup.Add(FromFile());
  setup.files.files["/run/token"] = "oidc-1\n";
  setup.http.Push(503, "");
  setup.http.Push(200, TokenBody(AppClaims()));
  setup.http.Push(200, TokenBody(AppClaims()));
  REQUIRE(setup.Mint("file").has_value());
  setup.files.files["/run/token"] = "oidc-2";
  REQUIRE(setup.Mint("file").has_value());
  CHECK(setup.files.read == std::vector<std::string>(3, "/run/token"));
  CHECK(Holds(setup.Body(0), std::string(kAssertion) + "oidc-1&scope="));
  CHECK(setup.Body(1) == setup.Body(0));
  CHECK(Holds(setup.Body(2), std::string(kAssertion) + "oidc-2&scope="));
  CHECK(setup.Accessed() == "file file");
}

TEST_CASE("Without the platform's token nothing is asked") {
  Setup setup;
  setup.Add(FromFile());
  CHECK(ReasonOf(setup.Mint("file")) == Reason::kStoreUnavailable);
  setup.files.files["/run/token"] = "\n\r\n";
  CHECK(ReasonOf(setup.Mint("file")) == Reason::kStoreUnavailable);
  CHECK(setup.http.seen.empty());
  CHECK(setup.Accessed() == "file file! file file!");
  broker::Minter bare({setup.http, setup.vault, setup.ledger, setup.clock, setup.random,
                       setup.sleeper, setup.fingerprint_key});
  const broker::TokenKey key{"file", kGraph, {".default"}, "", ""};
  CHECK(ReasonOf(bare.Mint(setup.config, setup.config.credentials.at("file"), key, setup.who)) ==
        Reason::kInternal);
}

TEST_CASE("A managed identity's token is handed out, or proves an application") {
  Setup setup;
  setup.Add(Identity());
  setup.http.Push(200, IdentityBody(AppClaims()));
  const auto token = setup.Mint("host");
  REQUIRE(token.has_value());
  CHECK((*token)->app_only);
  CHECK((*token)->scopes == std::vector<std::string>{"User.Read.All"});
  CHECK(setup.http.seen[0].url ==
        "http://169.254.169.254/token?api-version=2018-02-01"
        "&resource=https%3A%2F%2Fgraph.microsoft.com");
  CHECK(setup.ledger.entries[0].upstream_host == "169.254.169.254");
  CHECK(setup.ledger.entries[0].credential_kind == "managed-identity");

  setup.Add({.name = "fic", .kind = "federated", .client_id = kClient, .proof = "host"});
  setup.http.Push(200, R"({"access_token":"mi-token","expires_in":"3599"})");
  setup.http.Push(200, TokenBody(AppClaims()));
  REQUIRE(setup.Mint("fic").has_value());
  CHECK(Holds(setup.http.seen[1].url, "&resource=api%3A%2F%2FAzureADTokenExchange"));
  CHECK(Holds(setup.Body(2), std::string(kAssertion) + "mi-token&scope="));
  CHECK(setup.Accessed() == "host fic host");
}

TEST_CASE("A managed identity's token is of the tenant that the configured domain stands for") {
  for (const char* tenant : {kTenant, "99999999-0000-4000-8000-000000000009"}) {
    Setup setup;
    setup.Add(Identity());
    setup.config.tenant.id = "contoso.example";
    setup.http.Push(200, R"({"issuer":"https://login.microsoftonline.com/)" + std::string(tenant) +
                             R"(/v2.0"})");
    setup.http.Push(200, IdentityBody(AppClaims()));
    const auto token = setup.Mint("host");
    REQUIRE(token.has_value());
    CHECK((*token)->tenant_domain == (tenant == kTenant ? "contoso.example" : ""));
    CHECK(setup.http.seen[0].url.starts_with("https://login.microsoftonline.com/contoso.example/"));
    CHECK(setup.http.seen[1].url.starts_with("http://169.254.169.254/token?"));
  }
}

TEST_CASE("A user-assigned identity is named as its endpoint wants it") {
  struct Row {
    const char* source;
    const char* object_id;
    const char* resource_id;
    std::string want;
  };
  const Row rows[] = {
      {"imds", "", "", "&client_id=" + std::string(kClient)},
      {"imds", "oid", "", "&object_id=oid"},
      {"imds", "", "/subscriptions/s", "&msi_res_id=%2Fsubscriptions%2Fs"},
      {"app-service", "", "/subscriptions/s", "&mi_res_id=%2Fsubscriptions%2Fs"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.want);
    Setup setup;
    Credential identity = Identity(row.source);
    identity.user_assigned = true;
    identity.object_id = row.object_id;
    identity.resource_id = row.resource_id;
    setup.Add(identity);
    setup.files.files["env:IDENTITY_HEADER"] = "header";
    setup.http.Push(200, IdentityBody(AppClaims()));
    REQUIRE(setup.Mint("host").has_value());
    CHECK(setup.http.seen[0].url.ends_with(row.want));
  }
}

TEST_CASE("Azure Arc's key is read where its challenge says, if that is where keys are") {
  Setup setup;
  setup.Add(Identity("azure-arc"));
  const std::string path = std::string(kFolder) + "/one.key";
  setup.files.files[path] = "arc-key";
  std::string challenge = "Basic realm=" + path;
  setup.http.respond = [&](const broker::HttpRequest& request) {
    auto answer =
        FakeHttp::Answer(request.secret_headers.empty() ? 401 : 200, IdentityBody(AppClaims()));
    answer.www_authenticate = challenge;
    return answer;
  };
  REQUIRE(setup.Mint("host").has_value());
  REQUIRE(setup.http.seen.size() == 2);
  CHECK(setup.http.seen[1].authorization == "Basic arc-key");
  setup.files.read.clear();
  challenge = "Basic realm=/etc/shadow.key";
  CHECK(ReasonOf(setup.Mint("host")) == Reason::kUpstreamInvalid);
  CHECK(setup.files.read.empty());
  CHECK(setup.http.seen.size() == 3);
  challenge = "Basic realm=" + path;
  setup.files.files[path] = std::string(4097, 'k');
  CHECK(ReasonOf(setup.Mint("host")) == Reason::kStoreUnavailable);
  CHECK(setup.http.seen.size() == 4);
}

TEST_CASE("An endpoint that is updating is left alone as long as that takes") {
  Setup setup;
  setup.Add(Identity());
  setup.http.Push(410, "");
  const auto first = setup.Mint("host");
  CHECK(ReasonOf(first) == Reason::kUpstreamThrottled);
  CHECK(first.error().retry_after == seconds(70));
  setup.clock.Advance(seconds(69));
  CHECK(ReasonOf(setup.Mint("host")) == Reason::kUpstreamThrottled);
  CHECK(setup.http.seen.size() == 1);
  setup.clock.Advance(seconds(1));
  setup.http.Push(404, "");
  setup.http.Push(200, IdentityBody(AppClaims()));
  CHECK(setup.Mint("host").has_value());  // 404: asked once more
  CHECK(setup.sleeper.slept.size() == 1);
  setup.http.Push(400, R"({"error":"invalid_request","error_description":"Identity not found"})");
  CHECK(ReasonOf(setup.Mint("host")) == Reason::kPrincipalDisabled);
}
