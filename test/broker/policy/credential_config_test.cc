#include "broker/policy/clouds.h"
#include "broker/policy/kinds.h"
#include "broker/policy/show.h"
#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using fixture::Says;

namespace {

constexpr const char* kApp = "client_id = \"11111111-2222-3333-4444-000000000001\"\n";
constexpr const char* kAgent = "client_id = \"11111111-2222-3333-4444-000000000002\"\n";
constexpr const char* kUser = "user = \"66666666-7777-8888-9999-aaaaaaaaaaaa\"\n";
constexpr const char* kScopes = "scopes = [\"Files.Read.All\"]\n";

std::string Table(const std::string& name, const std::string& kind, const std::string& body) {
  return "[credential." + name + "]\nkind = \"" + kind + "\"\n" + body;
}
// What the kinds under test lean on; none of it lists scopes.
std::string Proofs() {
  return Table("blueprint", "certificate", kApp) + Table("host", "managed-identity", kApp);
}
std::string With(const std::string& tables) { return fixture::With("", Proofs() + tables); }
std::string X(const std::string& kind, const std::string& body) {
  return With(Table("x", kind, body));
}

}  // namespace

TEST_CASE("Each kind of credential says what it needs, and what is not its own") {
  const std::string agent = std::string(kAgent) + kScopes;
  const std::string app = std::string(kApp) + kScopes;
  // clang-format off
  struct Row { const char* why; std::string text; const char* says; };
  const Row rows[] = {
      {"federated by nothing",                   With(Table("x", "federated", app) + Table("y", "on-behalf-of", app + "proof = \"x\"\n")), "needs one of token_file"},
      {"rotated more often than hourly",         X("certificate", app + "rotate_every = \"59m\"\n"),      "from 1h to 90d"},
      {"rotated too seldom",                     X("client-secret", app + "rotate_every = \"91d\"\n"),    "from 1h to 90d"},
      {"a rotation that is no duration",         X("client-secret", app + "rotate_every = \"monthly\"\n"), "\"30d\""},
      {"a managed identity rotated",             X("managed-identity", app + "rotate_every = \"30d\"\n"), "has no rotate_every"},
      {"rotated with what is not there",         X("client-secret", app + "rotate_with = \"gone\"\n"),    "there is no [credential.gone]"},
      {"rotated with a user's token",            With(Table("x", "client-secret", app + "rotate_with = \"u\"\n") + Table("u", "refresh-token", app + kUser)), "an application's own"},
      {"rotated, though a version is pinned",    X("client-secret", app + "vault = \"corp\"\nname = \"s\"\nversion = \"0123456789abcdef0123456789abcdef\"\nrotate_every = \"30d\"\n"), "pins the secret"},
      {"a public client's secret rotated",       With(Table("x", "refresh-token", app + kUser + "rotate_with = \"blueprint\"\n")), "client_auth"},
      {"a vault's key rotated at a pinned version", X("key-vault-key", app + "vault = \"corp\"\nname = \"s\"\nversion = \"0123456789abcdef0123456789abcdef\"\nrotate_every = \"30d\"\n"), "pins the secret"},
      {"a vault's key rotated too often",        X("key-vault-key", app + "vault = \"corp\"\nname = \"s\"\nrotate_every = \"59m\"\n"), "from 1h to 90d"},
      {"a vault's key rotated with a user",      With(Table("x", "key-vault-key", app + "vault = \"corp\"\nname = \"s\"\nrotate_with = \"u\"\n") + Table("u", "refresh-token", app + kUser)), "an application's own"},
      {"rotated where files are mounted",        With("[vault.files]\nkind = \"mounted-files\"\npath = \"/run/x\"\n" + Table("x", "client-secret", app + "vault = \"files\"\nname = \"s\"\nrotate_every = \"30d\"\n")), "whoever mounts"},
      {"federated twice over",                   X("federated", app + "token_file = \"/run/t\"\nproof = \"host\"\n"), "needs one of token_file"},
      {"a relative token file",                  X("federated", app + "token_file = \"t\"\n"),             "absolute path"},
      {"a token file upwards",                   X("federated", app + "token_file = \"/run/../etc/shadow\"\n"), "absolute path"},
      {"federated by a certificate",             X("federated", app + "proof = \"blueprint\"\n"),          "\"managed-identity\" is an assertion"},
      {"federated by what is not there",         X("federated", app + "proof = \"gone\"\n"),               "there is no [credential.gone]"},
      {"federated by itself",                    X("federated", app + "proof = \"x\"\n"),                  "\"managed-identity\" is an assertion"},
      {"a federated user",                       X("federated", app + kUser + "proof = \"host\"\n"),       "has no user"},
      {"a token file of another kind",           X("certificate", app + "token_file = \"/run/t\"\n"),      "only \"federated\" has"},
      {"a proof of another kind",                X("certificate", app + "proof = \"host\"\n"),             "only \"federated\" or \"agent-identity\" or \"on-behalf-of\" has"},
      {"a vault without a secret",               X("managed-identity", app + "vault = \"corp\"\n"),        "has no vault"},
      {"an unknown source",                      X("managed-identity", app + "source = \"metadata\"\n"),   "\"imds\""},
      {"App Service without an endpoint",        X("managed-identity", app + "source = \"app-service\"\n"), "env:IDENTITY_ENDPOINT"},
      {"an endpoint elsewhere",                  X("managed-identity", app + "endpoint = \"http://10.0.0.1/x\"\n"), "of this machine or its link"},
      {"an endpoint with a query",               X("managed-identity", app + "endpoint = \"http://127.0.0.1/x?a=b\"\n"), "without a query"},
      {"an endpoint over https",                 X("managed-identity", app + "endpoint = \"https://127.0.0.1/x\"\n"), "an http URL"},
      {"Arc with a user-assigned identity",      X("managed-identity", app + "source = \"azure-arc\"\nassigned = \"user\"\n"), "own identity alone"},
      {"a key folder without Arc",               X("managed-identity", app + "key_folder = \"/k\"\n"),     "azure-arc"},
      {"an object id of the system's own",       X("managed-identity", app + "object_id = \"11111111-2222-3333-4444-000000000003\"\n"), "write assigned = \"user\""},
      {"two names for one identity",             X("managed-identity", app + "assigned = \"user\"\nresource_id = \"/subscriptions/s\"\nobject_id = \"11111111-2222-3333-4444-000000000003\"\n"), "keep one"},
      {"a resource id that is none",             X("managed-identity", app + "assigned = \"user\"\nresource_id = \"subscriptions/s\"\n"), "/subscriptions/"},
      {"an agent identity without a blueprint",  X("agent-identity", agent),                               "needs proof"},
      {"an agent identity as its own blueprint", X("agent-identity", app + "proof = \"blueprint\"\n"),     "not its own blueprint"},
      {"a blueprint that proves nothing",        X("agent-identity", agent + "proof = \"host\"\n"),        "no other proves an application"},
      {"a person as a blueprint",                X("agent-identity", agent + "proof = \"mail\"\n"),        "no other proves an application"},
      {"an agent's user without a user",         X("agent-identity", agent + "proof = \"blueprint\"\nact = \"agent-user\"\n"), "needs user"},
      {"an autonomous agent with a user",        X("agent-identity", agent + kUser + "proof = \"blueprint\"\n"), "act = \"agent-user\""},
      {"an unknown act",                         X("agent-identity", agent + "proof = \"blueprint\"\nact = \"user\"\n"), "\"agent-user\""},
      {"an act of another kind",                 X("certificate", app + "act = \"agent-user\"\n"),         "has no act"},
      {"on behalf of users, without proof",      X("on-behalf-of", app),                                   "needs proof"},
      {"on behalf of users, another's proof",    X("on-behalf-of", agent + "proof = \"blueprint\"\n"),     "another application's"},
      {"on behalf of one user",                  X("on-behalf-of", app + kUser + "proof = \"blueprint\"\n"), "has no user"},
      {"a key that is in no vault",              X("key-vault-key", app),                                  "needs vault"},
      {"no scopes, and nobody's proof",          X("certificate", kApp),                                   "lacks \"scopes\""},
      {"a rule that takes a mere proof",         With("[[agent.helpdesk.allow]]\nname = \"y\"\nscopes = [\"Files.Read.All\"]\ncredential = \"blueprint\"\n" + Table("x", "agent-identity", agent + "proof = \"blueprint\"\n")), "lists no scopes"},
      {"no client id",                           X("managed-identity", kScopes),                           "lacks \"client_id\""},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    std::string all;
    const bool said = Says(row.text, row.says, &all);
    CAPTURE(all);
    CHECK(said);
  }
}

TEST_CASE("A machine of each sort, an agent identity in each of its ways, and on behalf of users") {
  const std::string agent = std::string(kAgent) + kScopes + "proof = \"blueprint\"\n";
  const std::string app = std::string(kApp) + kScopes;
  const Config config = fixture::Valid(With(
      Table("file", "federated", app + "token_file = \"/var/run/secrets/azure/tokens/t\"\n") +
      Table("fic", "federated", app + "proof = \"host\"\n") +
      Table("vm", "managed-identity", app + "assigned = \"user\"\n") +
      Table(
          "web", "managed-identity",
          app + "source = \"app-service\"\nendpoint = \"http://169.254.129.3:8081/msi/token/\"\n") +
      Table("arc", "managed-identity", app + "source = \"azure-arc\"\n") +
      Table("auto", "agent-identity", agent) +
      Table("obo", "agent-identity", agent + "act = \"on-behalf-of\"\n") +
      Table("own", "agent-identity", agent + kUser + "act = \"agent-user\"\n") +
      Table("app", "on-behalf-of", app + "proof = \"blueprint\"\n")));
  const auto& all = config.credentials;
  CHECK(all.at("vm").endpoint == "http://169.254.169.254/metadata/identity/oauth2/token");
  CHECK(all.at("arc").endpoint == "http://127.0.0.1:40342/metadata/identity/oauth2/token");
  CHECK(all.at("arc").key_folder == "/var/opt/azcmagent/tokens");
  CHECK(SubjectOf(all.at("auto")) == Subject::kApplication);
  CHECK(SubjectOf(all.at("obo")) == Subject::kAssertedUser);
  CHECK(SubjectOf(all.at("own")) == Subject::kConfiguredUser);
  CHECK(SubjectOf(all.at("app")) == Subject::kAssertedUser);
  CHECK(SubjectOf(all.at("vm")) == Subject::kApplication);
  CHECK(LocalHosts(config) ==
        std::vector<std::string>{"127.0.0.1:40342", "169.254.129.3:8081", "169.254.169.254:80"});
  CHECK(Hosts(config) ==
        std::vector<std::string>{"graph.microsoft.com:443", "login.microsoftonline.com:443"});
  const std::string shown = ShowConfig(config);
  CHECK(shown.find("act = \"on-behalf-of\"") != std::string::npos);
  CHECK(shown.find("assigned = \"user\"") != std::string::npos);
  // Nothing of another kind's is shown: what is shown is a valid configuration.
  CHECK(fixture::Parse(shown).has_value());
}

TEST_CASE("A custom cloud's assertions and issuers are the public one's and its authority's") {
  constexpr const char* kGuid = "8F0C1A52-0000-4000-8000-00000000abcd";
  const Tenant custom{.cloud = "custom", .authority = "https://login.example"};
  CHECK(ExchangeAudience(custom) == "api://AzureADTokenExchange");
  CHECK(IssuersOf(custom, kGuid) ==
        std::vector<std::string>{"https://login.example/8f0c1a52-0000-4000-8000-00000000abcd/v2.0",
                                 "https://sts.windows.net/8f0c1a52-0000-4000-8000-00000000abcd/"});
}
