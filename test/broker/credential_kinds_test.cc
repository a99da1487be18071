#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "broker/base/base64.h"
#include "broker/entra/client_assertion.h"
#include "broker/minter.h"
#include "test/fakes/entra_answers.h"
#include "test/fakes/fake_mint_ports.h"
#include "test/fakes/fake_signer.h"
#include "test/fakes/fake_token_files.h"

using namespace entra_answers;
using broker::ErrorCode, broker::Reason, broker::Secret, broker::SecretKind;
using broker::policy::Credential;
using std::chrono::seconds;

namespace {

constexpr const char* kAgentId = "55555555-0000-4000-8000-000000000005";
constexpr const char* kArcEndpoint = "http://127.0.0.1:40342/metadata/identity/oauth2/token";
constexpr const char* kFolder = "/var/opt/azcmagent/tokens";
constexpr const char* kAssertion = "&client_assertion=";

/// A minter with every port faked, and credentials by name.
struct Setup : FakeMintPorts {
  Setup() {
    config.tenant = {kTenant, "public", "https://login.microsoftonline.com", kGraph, ""};
    who.agent = "helpdesk";
    who.request_id = "r-1";
    Add({.name = "app", .kind = "client-secret", .client_id = kClient});
    const Secret secret = Secret::CopyOf("app-secret");
    REQUIRE(vault.store.Put({"app", SecretKind::kClientSecret}, secret, 0).has_value());
  }
  void Add(Credential credential) { config.credentials[credential.name] = std::move(credential); }
  broker::MintResult Mint(const std::string& name, const Secret* user = nullptr) {
    const Credential& credential = config.credentials.at(name);
    const broker::TokenKey key{name, kGraph, {".default"}, "", credential.user};
    return minter.Mint(config, credential, key, who, user);
  }
  std::string Body(size_t i) {
    REQUIRE(http.seen.size() > i);
    return http.seen[i].body;
  }
  std::string Accessed() {
    std::string names;
    for (const auto& entry : ledger.entries) {
      const bool failed = entry.outcome == broker::ledger::Outcome::kFailure;
      names += (names.empty() ? "" : " ") + entry.credential_name + (failed ? "!" : "");
    }
    return names;
  }

  broker::policy::Config config;
  broker::ledger::Entry who;
  FakeTokenFiles files;
  FakeSigner signer;
  broker::Minter minter{
      {http, vault, ledger, clock, random, sleeper, fingerprint_key, nullptr, &files, &signer}};
};

Reason ReasonOf(const broker::MintResult& result) {
  REQUIRE_FALSE(result.has_value());
  return result.error().reason;
}

bool Holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A 200 of a managed identity's endpoint.
std::string IdentityBody(const nlohmann::json& claims) {
  return nlohmann::json{{"access_token", Jwt(claims)}, {"expires_in", "3599"}}.dump();
}
/// A 200 of the token endpoint whose token is no JWT: one that only Entra reads.
std::string Opaque(const std::string& token) {
  return nlohmann::json{{"token_type", "Bearer"}, {"expires_in", 3599}, {"access_token", token}}
      .dump();
}
nlohmann::json AgentClaims() {
  auto claims = AppClaims();
  claims["appid"] = kAgentId;
  return claims;
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
Credential Agent(const std::string& act) {
  return {.name = "agent",
          .kind = "agent-identity",
          .client_id = kAgentId,
          .user = act == "agent-user" ? kUser : "",
          .proof = "app",
          .act = act};
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
  for (const Row& row : {Row{ErrorCode::kNotFound, Reason::kCredentialNotEnrolled},
                         Row{ErrorCode::kDenied, Reason::kCredentialRejected},
                         Row{ErrorCode::kUnavailable, Reason::kStoreUnavailable},
                         Row{ErrorCode::kCorrupt, Reason::kStoreUnavailable}}) {
    setup.signer.fail_with = row.code;
    CHECK(ReasonOf(setup.Mint("hsm")) == row.reason);
    setup.signer.fail_with.reset();
    setup.signer.fail_signing_with = row.code;
    CHECK(ReasonOf(setup.Mint("hsm")) == row.reason);
    setup.signer.fail_signing_with.reset();
  }
  CHECK(setup.http.seen.size() == 2);
}

TEST_CASE("An autonomous agent is proved by its blueprint, and asks for itself") {
  Setup setup;
  setup.Add(Agent("application"));
  setup.http.Push(200, Opaque("T1"));
  setup.http.Push(200, TokenBody(AgentClaims()));
  const auto token = setup.Mint("agent");
  REQUIRE(token.has_value());
  CHECK((*token)->app_id == kAgentId);
  CHECK(Holds(setup.Body(0), "client_id=" + std::string(kClient) + "&client_secret=app-secret"));
  CHECK(Holds(setup.Body(0), "&fmi_path=" + std::string(kAgentId) +
                                 "&scope=api%3A%2F%2FAzureADTokenExchange%2F.default"));
  CHECK(Holds(setup.Body(1), "grant_type=client_credentials&client_id=" + std::string(kAgentId)));
  CHECK(Holds(setup.Body(1),
              std::string(kAssertion) + "T1&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"));
  CHECK(setup.Accessed() == "agent app");
  // Nothing of the first leg is kept: the blueprint's secret may have been revoked since.
  setup.http.Push(200, Opaque("T1-again"));
  setup.http.Push(200, TokenBody(AgentClaims()));
  REQUIRE(setup.Mint("agent").has_value());
  CHECK(Holds(setup.Body(3), std::string(kAssertion) + "T1-again&"));
}

TEST_CASE("An agent's own user account takes three legs, and on behalf of a user two") {
  Setup setup;
  setup.Add(Agent("agent-user"));
  auto claims = UserClaims();
  claims["appid"] = kAgentId;
  setup.http.Push(200, Opaque("T1"));
  setup.http.Push(200, Opaque("T2"));
  setup.http.Push(200, TokenBody(claims));
  const auto own = setup.Mint("agent");
  REQUIRE(own.has_value());
  CHECK((*own)->user_oid == kUser);
  CHECK(Holds(setup.Body(1), "grant_type=client_credentials&client_id=" + std::string(kAgentId)));
  CHECK(Holds(setup.Body(1), "T1&scope=api%3A%2F%2FAzureADTokenExchange%2F.default"));
  CHECK(Holds(setup.Body(2), "grant_type=user_fic&client_id=" + std::string(kAgentId)));
  CHECK(Holds(setup.Body(2),
              "T1&user_federated_identity_credential=T2&user_id=" + std::string(kUser)));

  setup.Add(Agent("on-behalf-of"));
  setup.http.Push(200, Opaque("T1"));
  setup.http.Push(200, TokenBody(claims));
  const Secret user = Secret::CopyOf("Tc");
  const auto obo = setup.Mint("agent", &user);
  REQUIRE(obo.has_value());
  CHECK(Holds(setup.Body(4), "T1&assertion=Tc&requested_token_use=on_behalf_of&scope="));
  // There is no one to renew it with.
  CHECK((*obo)->refresh_at == (*obo)->expires_at);
  CHECK(ReasonOf(setup.Mint("agent")) == Reason::kMissingField);
}

TEST_CASE("An ordinary application on behalf of a user uses its own proof") {
  Setup setup;
  setup.Add({.name = "obo", .kind = "on-behalf-of", .client_id = kClient, .proof = "app"});
  setup.http.Push(200, TokenBody(UserClaims(), "uninvited", "Mail.Read"));
  const Secret user = Secret::CopyOf("Tc");
  REQUIRE(setup.Mint("obo", &user).has_value());
  CHECK(Holds(setup.Body(0), "&client_secret=app-secret&assertion=Tc&"));
  CHECK_FALSE(Holds(setup.Body(0), "offline_access"));
  CHECK(setup.Accessed() == "obo app");
  setup.ledger.fail_with = ErrorCode::kUnavailable;
  CHECK(ReasonOf(setup.Mint("obo", &user)) == Reason::kLedgerUnavailable);
  CHECK(setup.http.seen.size() == 1);
}

TEST_CASE("A first leg that fails is the agent's failure, with what Entra said of it") {
  Setup setup;
  setup.Add(Agent("application"));
  setup.http.Push(400, ErrorBody("invalid_client", 700211));
  const auto refused = setup.Mint("agent");
  CHECK(ReasonOf(refused) == Reason::kCredentialRejected);
  CHECK(Holds(refused.error().detail, "AADSTS700211"));
  CHECK(setup.http.seen.size() == 1);
  CHECK(ReasonOf(setup.Mint("agent")) == Reason::kCredentialRejected);
  CHECK(setup.http.seen.size() == 1);  // not asked again at once
  CHECK(setup.minter.Degraded() ==
        std::vector<std::string>{"credential agent: credential_rejected since 2026-11-18T11:06:40Z"});
}

TEST_CASE("A blueprint's secret that was replaced meanwhile is used at once") {
  Setup setup;
  setup.Add(Agent("application"));
  setup.http.respond =
      [&](const broker::HttpRequest& request) -> broker::Result<broker::HttpResponse> {
    const auto body = request.body.Expose(broker::Exit::kTest);
    if (body.find("fmi_path") == body.npos) return FakeHttp::Answer(200, TokenBody(AgentClaims()));
    if (body.find("newer") != body.npos) return FakeHttp::Answer(200, Opaque("T1"));
    const Secret newer = Secret::CopyOf("newer");
    CHECK(setup.vault.store.Put({"app", SecretKind::kClientSecret}, newer, 1).has_value());
    return FakeHttp::Answer(401, ErrorBody("invalid_client", 7000215));
  };
  CHECK(setup.Mint("agent").has_value());
  CHECK(setup.http.seen.size() == 3);
  CHECK(setup.Accessed() == "agent app agent app");
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
