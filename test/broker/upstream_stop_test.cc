// What is ended at Entra for what was stopped here, and by which requests.
#include "broker/upstream_stop.h"

#include "broker/graph/principal.h"
#include "test/broker/credential_kinds_setup.h"
#include "test/fakes/test_certificate.h"

using namespace credential_kinds;
using namespace entra_answers;
using broker::GraphClient, broker::Secret, broker::UpstreamDeed, broker::UpstreamStep;
using nlohmann::json;

namespace {

constexpr const char* kApp = "11111111-2222-3333-4444-555555555555";
constexpr const char* kOther = "22222222-2222-3333-4444-555555555555";
constexpr const char* kJo = "33333333-2222-3333-4444-555555555555";
const std::string kOrigin = "https://graph.microsoft.com";

broker::policy::Credential Of(const char* kind) {
  return {.name = kind, .kind = kind, .client_id = kApp};
}

// "what target" of each step.
std::vector<std::string> Texts(const std::vector<UpstreamStep>& steps) {
  std::vector<std::string> texts;
  for (const auto& step : steps) {
    texts.push_back(std::string(broker::DeedText(step.deed)) + " " + step.target);
  }
  return texts;
}

struct Upstream : Setup {
  Upstream() { config.tenant.graph = kOrigin; }
  broker::UpstreamResult CarryOut(UpstreamDeed deed, const Secret* current = nullptr,
                                  const char* user = "") {
    const UpstreamStep step{.deed = deed, .credential = "app", .target = kApp, .user = user};
    auto minted = std::make_shared<broker::AccessToken>();
    minted->value = Secret::CopyOf("the-token");
    return broker::CarryOut(graph, clock, config, minted, step, current);
  }
  void Answer(const json& body) { http.Push(200, body.dump()); }
  GraphClient graph{http, minter, clock};
};

std::string Sha1Hex(const TestCertificate& made) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  REQUIRE(X509_digest(made.certificate.get(), EVP_sha1(), digest.data(), &size) == 1);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += "0123456789ABCDEF"[digest[i] >> 4];
    hex += "0123456789ABCDEF"[digest[i] & 15];
  }
  return hex;
}

json WithSecrets(const std::vector<std::string>& hints) {
  json list = json::array();
  for (size_t i = 0; i < hints.size(); ++i) {
    list.push_back({{"keyId", "key-" + std::to_string(i)}, {"hint", hints[i]}});
  }
  return {{"id", kOther}, {"keyCredentials", json::array()}, {"passwordCredentials", list}};
}

}  // namespace

TEST_CASE("What takes a credential back at Entra depends on what it is") {
  auto login = Of("refresh-token");
  login.user = kJo;
  auto confidential = login;
  confidential.confidential = true;
  const std::string app = std::string(" ") + kApp;
  const std::string jo = std::string(" ") + kJo;
  struct Row {
    const char* why;
    broker::policy::Credential credential;
    std::vector<std::string> want;
  };
  const Row rows[] = {
      {"a client secret", Of("client-secret"), {"remove the client secret of" + app}},
      {"a certificate", Of("certificate"), {"remove the certificate of" + app}},
      {"a login",
       login,
       {"revoke the sessions of user" + jo, "delete the delegated grants of" + app}},
      {"a login with a secret of its own",
       confidential,
       {"remove the client secret of" + app, "revoke the sessions of user" + jo,
        "delete the delegated grants of" + app}},
      {"on behalf of users", Of("on-behalf-of"), {"delete the delegated grants of" + app}},
      {"an agent identity", Of("agent-identity"), {"disable the agent identity" + app}},
      {"a machine's identity", Of("managed-identity"), {"disable the service principal of" + app}},
      {"a platform's token", Of("federated"), {"disable the service principal of" + app}},
      {"a key that stays in a vault",
       Of("key-vault-key"),
       {"disable the service principal of" + app}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(Texts(broker::StepsToRevoke({}, row.credential)) == row.want);
  }
}

TEST_CASE("A stopped agent's identities are disabled once, but for those that others use") {
  broker::policy::Config config;
  const auto credential = [&](const char* name, const char* kind, const char* client) {
    config.credentials[name] = {.name = name, .kind = kind, .client_id = client};
  };
  const auto agent = [&](const char* name, const std::vector<const char*>& used) {
    config.agents[name].name = name;
    for (const char* one : used) {
      broker::policy::Rule rule;
      rule.credential = one;
      config.agents[name].rules.push_back(rule);
    }
  };
  credential("mail", "refresh-token", kApp);
  config.credentials["mail"].user = kJo;
  credential("again", "client-secret", kApp);
  credential("both", "client-secret", kOther);
  credential("admin", "certificate", "55555555-2222-3333-4444-555555555555");
  config.admin.upstream = "admin";
  agent("desk", {"mail", "again", "both", "admin"});
  agent("bill", {"both"});
  std::set<std::string> left;
  const std::vector<std::string> disabled = {
      std::string("disable the service principal of ") + kApp,
      std::string("revoke the sessions of user ") + kJo};
  CHECK(Texts(broker::StepsToDisable(config, {"desk"}, &left)) == disabled);
  CHECK(left == std::set<std::string>{"admin", "both"});
  left.clear();
  CHECK(broker::StepsToDisable(config, {"desk", "bill"}, &left).size() == 3);
  CHECK(left == std::set<std::string>{"admin"});
  left.clear();
  CHECK(broker::StepsToDisable(config, {}, &left).empty());
  config.credentials["both"].user = kJo;  // whose sessions another agent lives by
  CHECK(Texts(broker::StepsToDisable(config, {"desk"}, &left)) ==
        std::vector<std::string>{std::string("disable the service principal of ") + kApp});
}

TEST_CASE("The client secret that is removed is the one that begins as ours; on doubt none is") {
  struct Row {
    const char* why;
    std::vector<std::string> hints;
    bool done;
    const char* removed;  // empty: nothing was asked to be
  };
  const Row rows[] = {
      {"one of several", {"xyz", "abc"}, true, "key-1"},
      {"none: it is gone already", {"xyz"}, true, ""},
      {"there are none at all", {}, true, ""},
      {"two that begin alike", {"abc", "abc"}, false, ""},
  };
  const Secret current = Secret::CopyOf("abcdefghij");
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Upstream f;
    f.Answer(WithSecrets(row.hints));
    f.http.Push(204, "");
    CHECK(f.CarryOut(UpstreamDeed::kRemoveSecret, &current).done == row.done);
    const bool asked = f.http.seen.size() == 2;
    CHECK(asked == !std::string(row.removed).empty());
    if (asked) CHECK(f.http.seen[1].body == json{{"keyId", row.removed}}.dump());
  }
}

TEST_CASE("A certificate is removed with a proof by itself, found by its thumbprint") {
  const auto made = TestCertificate::Rsa();
  const Secret pem = Secret::CopyOf(made.KeyPem() + made.CertificatePem());
  Upstream f;
  f.Answer({{"id", kOther},
            {"keyCredentials",
             {{{"keyId", "mine"}, {"customKeyIdentifier", Sha1Hex(made)}},
              {{"keyId", "another"}, {"customKeyIdentifier", std::string(40, 'A')}}}},
            {"passwordCredentials", json::array()}});
  f.http.Push(204, "");
  CHECK(f.CarryOut(UpstreamDeed::kRemoveKey, &pem).done);
  REQUIRE(f.http.seen.size() == 2);
  const json body = json::parse(f.http.seen[1].body);
  CHECK(body["keyId"] == "mine");
  CHECK(body["proof"].get<std::string>().find('.') != std::string::npos);
}

TEST_CASE("Grants of the user and for everybody are deleted, another user's are not") {
  Upstream f;
  f.Answer({{"id", kOther}});
  f.Answer({{"value",
             {{{"id", "all"}, {"principalId", nullptr}},
              {{"id", "jos"}, {"principalId", kJo}},
              {{"id", "sams"}, {"principalId", kOther}}}}});
  f.http.Push(204, "");
  f.http.Push(404, R"({"error":{"code":"Request_ResourceNotFound"}})");
  CHECK(f.CarryOut(UpstreamDeed::kDeleteGrants, nullptr, kJo).done);
  REQUIRE(f.http.seen.size() == 4);
  CHECK(f.http.seen[2].method == "DELETE");
  CHECK(f.http.seen[2].url == kOrigin + "/v1.0/oauth2PermissionGrants/all");
  CHECK(f.http.seen[3].url == kOrigin + "/v1.0/oauth2PermissionGrants/jos");
}

TEST_CASE("Grants beyond the first page are deleted, too; where they cannot be seen, it is said") {
  const auto page = [](const char* id, const char* whose, bool more) {
    json body = {{"value", {{{"id", id}, {"principalId", whose}}}}};
    if (more) body["@odata.nextLink"] = "https://elsewhere.example/";
    return body;
  };
  Upstream f;
  f.Answer({{"id", kOther}});
  f.Answer(page("one", "33333333-2222-3333-4444-555555555555", true));
  f.http.Push(204, "");
  f.Answer(page("two", kJo, false));
  f.http.Push(204, "");
  const auto all = f.CarryOut(UpstreamDeed::kDeleteGrants, nullptr, kJo);
  CHECK(all.done);
  CHECK(all.detail == "2 deleted");
  CHECK(f.http.seen[3].url == f.http.seen[1].url);

  Upstream hidden;
  hidden.Answer({{"id", kOther}});
  hidden.Answer(page("sams", kOther, true));
  const auto none = hidden.CarryOut(UpstreamDeed::kDeleteGrants, nullptr, kJo);
  CHECK_FALSE(none.done);
  CHECK(none.detail.find("by hand") != std::string::npos);
}

TEST_CASE("An id is the same in capitals: whose grants, whose sessions, and what is purser's own") {
  constexpr const char* kLower = "abcdefab-2222-3333-4444-555555555555";
  constexpr const char* kUpper = "ABCDEFAB-2222-3333-4444-555555555555";
  Upstream f;
  f.Answer({{"id", kOther}});
  f.Answer({{"value", {{{"id", "one"}, {"principalId", kLower}}}}});
  f.http.Push(204, "");
  CHECK(f.CarryOut(UpstreamDeed::kDeleteGrants, nullptr, kUpper).detail == "1 deleted");

  broker::policy::Config config;
  config.credentials["own"] = {.name = "own", .kind = "certificate", .client_id = kUpper};
  config.credentials["desk"] = {.name = "desk", .kind = "client-secret", .client_id = kLower};
  config.admin.upstream = "own";
  broker::policy::Rule rule;
  rule.credential = "desk";
  config.agents["desk"].rules.push_back(rule);
  std::set<std::string> left;
  CHECK(broker::StepsToDisable(config, {"desk"}, &left).empty());
  CHECK(left == std::set<std::string>{"desk"});
}

TEST_CASE("What Entra does not do is said, with what to grant") {
  struct Row {
    const char* why;
    UpstreamDeed deed;
    int status;
    const char* want;
  };
  const Row rows[] = {
      {"no permission to disable", UpstreamDeed::kDisablePrincipal, 403, "Application.ReadWrite"},
      {"none for agents", UpstreamDeed::kDisableAgent, 403, "AgentIdentity.EnableDisable.All"},
      {"none for sessions", UpstreamDeed::kRevokeSessions, 403, "User.RevokeSessions.All"},
      {"none to read the principal", UpstreamDeed::kDeleteGrants, 403, "Application.Read.All"},
      {"Graph is down", UpstreamDeed::kDisablePrincipal, 503, "503"},
      {"nobody of that id", UpstreamDeed::kRevokeSessions, 404, "404"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Upstream f;
    f.http.Push(row.status, R"({"error":{"code":"Some_Code"}})");
    const auto result = f.CarryOut(row.deed);
    CHECK_FALSE(result.done);
    CHECK(result.detail.find(row.want) != std::string::npos);
    CHECK(f.http.seen.size() == 1);
  }
}

TEST_CASE("Without the secret nobody can tell which one it is") {
  for (const UpstreamDeed deed : {UpstreamDeed::kRemoveSecret, UpstreamDeed::kRemoveKey}) {
    Upstream f;
    CHECK_FALSE(f.CarryOut(deed).done);
    CHECK(f.http.seen.empty());
  }
}

TEST_CASE("Requests that disable are what Graph documents") {
  const auto principal = broker::graph::DisablePrincipal(kOrigin, kApp);
  CHECK(principal.method == "PATCH");
  CHECK(principal.url == kOrigin + "/v1.0/servicePrincipals(appId='" + kApp + "')");
  CHECK(principal.body.Expose(broker::Exit::kTest) == R"({"accountEnabled":false})");
  CHECK(broker::graph::DisableAgent(kOrigin, kApp).url ==
        kOrigin + "/v1.0/servicePrincipals/" + kApp + "/microsoft.graph.agentIdentity");
  CHECK(broker::graph::RevokeSessions(kOrigin, kJo).url ==
        kOrigin + "/v1.0/users/" + kJo + "/revokeSignInSessions");
  for (const json& wrong : {json::array(), json{{"value", 1}}, json{{"value", {{{"id", "a/b"}}}}},
                            json{{"value", {1}}}}) {
    CHECK_FALSE(broker::graph::ReadGrants(Secret::CopyOf(wrong.dump())));
  }
}
