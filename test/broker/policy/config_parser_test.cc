#include "broker/policy/config_parser.h"

#include <fstream>
#include <iterator>

#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using fixture::CheckFaults, fixture::With;
using Row = fixture::FaultRow;

namespace {

std::string Of(std::string_view body) { return With("user = \"helpdesk\"", body); }

}  // namespace

TEST_CASE("What is written wrong is refused where it stands, with what to write instead") {
  // clang-format off
  const Row rows[] = {
      {"not TOML",                  With("name = \"zrh\"", "name = zrh"),                      2, "this is not TOML"},
      {"text without quotes",       With("\"contoso.onmicrosoft.com\"", "contoso.com"),          4, "put text in double quotes"},
      {"a GUID without quotes",     With("\"contoso.onmicrosoft.com\"", "8f0c1e5e-0000-4000-8000-000000000001"), 4, "put text in double quotes"},
      {"a word like a boolean",     With("\"passphrase\"", "file"),                             6, "put text in double quotes"},
      {"a list without quotes",     With("[\"Mail.Read\"]", "[\"Mail.Send\", Mail.Read]"),      11, "put text in double quotes"},
      {"a quote left open",         With("\"zrh\"", "\"zrh"),                                   2, "close the double quotes"},
      {"a key without a value",     With("name = \"zrh\"", "name = "),                         2, "write a value"},
      {"a key without a sign",      With("name = \"zrh\"", "name \"zrh\""),                    2, "expected '='"},
      {"a key twice",               With("name = \"zrh\"", "name = \"zrh\"\nname = \"b\""),    3, "keep one of the two"},
      {"a table twice",             With("", "[tenant]\n"),                                    20, "keep one of the two"},
      {"a rule's table as agent",   With("", "[agent.helpdesk]\n"),                            20, "keep one of the two"},
      {"an unknown section",        With("[seal]", "[sael]"),                                  5, "did you mean [seal]"},
      {"a foreign section",         With("", "[database]\n"),                                  20, "unknown section \"database\""},
      {"an unknown key",            With("client_id", "clientid"),                             9, "did you mean \"client_id\""},
      {"a foreign key",             With("user = \"helpdesk\"", "user = \"helpdesk\"\nshell = 1"), 16, "here may stand user group"},
      {"a key beside sections",     "x = 1\n" + std::string(fixture::kBase),                   1, "unknown section \"x\""},
      {"a missing section",         With("[seal]\nkind = \"passphrase\"\n", ""),               1, "[seal] is missing"},
      {"a missing key",             With("id = \"contoso.onmicrosoft.com\"\n", ""),            3, "lacks \"id\""},
      {"a number for a name",       With("name = \"zrh\"", "name = 7"),                        2, "must be a string"},
      {"a string for a list",       With("scopes = [\"Mail.Read\"]", "scopes = \"Mail.Read\""), 11, "must be a list"},
      {"a number in a list",        With("scopes = [\"Mail.Read\"]", "scopes = [7]"),          11, "must be a string"},
      {"a string for a switch",     With("[seal]", "[hardening]\nallow_same_uid = \"true\"\n[seal]"), 6, "true or false"},
      {"a value for a section",     With("[seal]\nkind = \"passphrase\"", "[hardening]\nminimum=\"strict\"") + "[[admin.x]]\n", 20, "unknown key \"x\""},
      {"agents without names",      "agent = 3\n" + With("[agent.helpdesk]\nuser = \"helpdesk\"\n[[agent.helpdesk.allow]]\nname = \"read-mail\"\nscopes = [\"Mail.Read\"]\ncredential = \"mail\"\n", ""), 1, "write [agent.NAME]"},
      {"one rule, one bracket",     With("[[agent.helpdesk.allow]]", "[agent.helpdesk.allow]"), 16, "[[agent.helpdesk.allow]]"},
      {"an agent named as a path",  With("[agent.helpdesk]", "[agent.\"../x\"]\nuser=\"billing\"\n[agent.helpdesk]"), 14, "the name of this agent"},
      {"a credential in capitals",  With("[credential.mail]", "[credential.Mail]"),            7, "the name of this credential"},
      {"no GUID",                   With("11111111-2222", "1111111-2222"),                     9, "a GUID"},
      {"a tenant without a name",   With("contoso.onmicrosoft.com", "common"),                 4, "GUID or one of its domains"},
      {"an unknown word",           With("\"passphrase\"", "\"pasphrase\""),                   6, "did you mean \"passphrase\""},
      {"a rule's credential misspelt", With("credential = \"mail\"", "credential = \"mial\""),  19, "there is no [credential.mial]: did you mean \"mail\""},
      {"a rule's credential as a key", With("credential = \"mail\"", "credential = \"aid_mail\""), 19, "there is no [credential.\"aid_mail\"]: did you mean \"mail\""},
      {"a rule's credential unknown", With("credential = \"mail\"", "credential = \"calendar\""), 19, "add it, or name one of mail"},
      {"a rule without a credential's name", With("credential = \"mail\"", "credential = \"\""), 19, "must be the name of a [credential.NAME]"},
      {"a word of a later day",     With("credential = \"mail\"", "credential = \"mail\"\ndeliver = \"call\""), 20, "this version serves only"},
      {"a limit without a unit",    Of("user = \"helpdesk\"\nlimit = \"600\""),             16, "\"600/hour\""},
      {"a limit of nothing",        Of("user = \"helpdesk\"\nlimit = \"0/hour\""),          16, "\"none\""},
      {"a limit a week",            Of("user = \"helpdesk\"\nlimit = \"5/week\""),          16, "\"600/hour\""},
      {"a task's limit unbounded",  Of("user = \"helpdesk\"\nper_task = \"20\""),            16, "\"600/hour\""},
      {"tokens at a time in words", Of("user = \"helpdesk\"\nconcurrent = \"3\""),           16, "from 1 to 1000"},
      {"no token at a time",        Of("user = \"helpdesk\"\nconcurrent = 0"),               16, "from 1 to 1000"},
      {"any number at a time",      Of("user = \"helpdesk\"\nconcurrent = 1001"),            16, "from 1 to 1000"},
      {"a limit as a number",       Of("user = \"helpdesk\"\nlimit = 600"),                 16, "must be a string"},
      {"plain http",                With("[seal]", "cloud = \"custom\"\nauthority = \"http://login.x\"\ngraph = \"https://g.x\"\n[seal]"), 6, "https origin"},
      {"an origin with a path",     With("[seal]", "cloud = \"custom\"\nauthority = \"https://login.x/\"\ngraph = \"https://g.x\"\n[seal]"), 6, "without a path"},
      {"an origin with a user",     With("[seal]", "cloud = \"custom\"\nauthority = \"https://me@login.x\"\ngraph = \"https://g.x\"\n[seal]"), 6, "https origin"},
      {"a proxy with a password",   With("[seal]", "[network]\nproxy = \"http://me:pw@proxy:3128\"\n[seal]"), 6, "without a user"},
      {"a relative path",           With("[seal]", "[paths]\nstate = \"purser\"\n[seal]"),    6, "absolute path"},
      {"a path upwards",            With("[seal]", "[paths]\nstate = \"/var/../etc\"\n[seal]"), 6, "absolute path"},
      {"a role without group:",     With("group:purser-operators", "purser-operators"),        13, "group:NAME"},
      {"a user's own unit",         Of("user = \"helpdesk\"\nsystemd_unit = \"helpdesk\""), 16, "system unit"},
      {"a relative cgroup",         Of("user = \"helpdesk\"\ncgroup = \"kubepods\""),       16, "absolute cgroup path"},
      {"every cgroup",              Of("user = \"helpdesk\"\ncgroup = \"/\""),              16, "absolute cgroup path"},
      {"half a digest",             Of("user = \"helpdesk\"\nexe_sha256 = \"abcd\""),       16, "64 lower-case hex digits"},
  };
  // clang-format on
  CheckFaults(rows);
}

TEST_CASE("A value that cannot be read is one fault, not another one for its absence") {
  for (const std::string& text :
       {With("scopes = [\"Mail.Read\"]", "scopes = \"Mail.Read\""),
        With("scopes = [\"Mail.Read\"]", "scopes = [7]"),
        With("name = \"read-mail\"\nscopes = [\"Mail.Read\"]",
             "name = \"read-mail\"\nscopes = \"Mail.Read\""),
        With("[agent.helpdesk]",
             "[vault.files]\nkind = \"mounted-files\"\npath = \"/run/s\"\n[credential.app]\nkind = "
             "\"client-secret\"\nclient_id = \"11111111-2222-3333-4444-666666666666\"\nscopes = "
             "[\"User.Read.All\"]\nvault = \"files\"\nsecret = \"x\"\n[agent.helpdesk]")}) {
    CAPTURE(text);
    const auto got = fixture::Parse(text);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().size() == 1);
  }
}

TEST_CASE("Secrets, and policy from the environment, are refused and never quoted") {
  const std::string jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLWNhbmFyeQ";
  const std::string entra = "abc8Q~canaryCANARYcanaryCANARYcanary0123";
  // clang-format off
  const Row rows[] = {
      {"a client secret's key",     With("scopes = [\"Mail.Read\"]", "client_secret = \"canary\"\nscopes = [\"Mail.Read\"]"), 11, "run `purser secret set mail`"},
      {"a passphrase's key",        With("kind = \"passphrase\"", "kind = \"passphrase\"\npassphrase = \"canary\""),         7,  "secrets never stand in the configuration"},
      {"a refresh token's key",     With("user = \"helpdesk\"", "user = \"helpdesk\"\nrefresh_token = \"canary\""),          16, "secrets never stand in the configuration"},
      {"PEM",                       With("name = \"zrh\"", "name = \"-----BEGIN PRIVATE KEY-----canary\""),                  2,  "looks like a secret"},
      {"a JWT",                     With("name = \"zrh\"", "name = \"" + jwt + "\""),                                        2,  "looks like a secret"},
      {"Entra's own",               With("11111111-2222-3333-4444-555555555555", entra),                                     9,  "looks like a secret"},
      {"a secret as a scope",       With("[\"Mail.Read\"]", "[\"" + entra + "\"]"),                                          11, "looks like a secret"},
      {"a scope by env:",           With("[\"Mail.Read\"]", "[\"env:TENANT\"]"),                                             11, "policy never comes from the environment"},
      {"an agent's user by env:",   With("\"helpdesk\"", "\"env:TENANT\""),                                                  15, "never comes from the environment"},
      {"a variable that is unset",  With("\"contoso.onmicrosoft.com\"", "\"env:UNSET\""),                                    4,  "no such variable: set UNSET for"},
      {"a variable without a name", With("\"contoso.onmicrosoft.com\"", "\"env:\""),                                         4,  "no such variable: set it for"},
      {"a variable with nonsense",  With("\"contoso.onmicrosoft.com\"", "\"env:BROKEN\""),                                   4,  "GUID or one of its domains"},
  };
  // clang-format on
  CheckFaults(rows);
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const auto got = fixture::Parse(row.text);
    REQUIRE_FALSE(got.has_value());
    for (const Diagnostic& fault : got.error()) {
      CHECK(fault.message.find("canary") == std::string::npos);
      CHECK(fault.message.find("CANARY") == std::string::npos);
      CHECK(fault.message.find("not a tenant") == std::string::npos);
    }
  }
}

TEST_CASE("What contradicts itself is refused") {
  const std::string app =
      "[credential.app]\nkind = \"certificate\"\nclient_id = "
      "\"11111111-2222-3333-4444-666666666666\"\n";
  // clang-format off
  const Row rows[] = {
      {"authority without custom",  With("[seal]", "authority = \"https://login.x\"\n[seal]"), 5, "write cloud = \"custom\""},
      {"custom without authority",  With("[seal]", "cloud = \"custom\"\ngraph = \"https://g.x\"\n[seal]"), 5, "needs authority"},
      {"custom without graph",      With("[seal]", "cloud = \"custom\"\nauthority = \"https://l.x\"\n[seal]"), 5, "needs graph"},
      {"passphrase with a path",    With("kind = \"passphrase\"", "kind = \"passphrase\"\npath = \"/k\""), 7, "has no path"},
      {"key file without a path",   With("kind = \"passphrase\"", "kind = \"file\""),          5, "needs path"},
      {"key file by name",          With("kind = \"passphrase\"", "kind = \"file\"\npath = \"kek\""), 7, "absolute path"},
      {"credential file by path",   With("kind = \"passphrase\"", "kind = \"systemd-credential\"\npath = \"/kek\""), 7, "needs path = \"NAME\""},
      {"refresh token of nobody",   With("user = \"66666666-7777-8888-9999-aaaaaaaaaaaa\"\n", ""), 7, "needs user"},
      {"an application's user",     With("", app + "scopes = [\"Reports.Read.All\"]\nuser = \"11111111-2222-3333-4444-666666666666\"\n"), 24, "has no user"},
      {"an application's renewal",  With("", app + "scopes = [\"Reports.Read.All\"]\nclient_auth = \"secret\"\n"), 24, "remove client_auth"},
      {"consented to nothing",      With("", app + "scopes = []\n"),                           23, "list every scope"},
      {"a scope twice",             With("scopes = [\"Mail.Read\"]", "scopes = [\"Mail.Read\", \"https://graph.microsoft.com/Mail.Read\"]"), 11, "listed already"},
      {"a scope in two spellings",  With("scopes = [\"Mail.Read\"]", "scopes = [\"Mail.Read\", \"mail.read\"]"), 11, "listed already"},
      {"consented to .default",     With("scopes = [\"Mail.Read\"]", "scopes = [\".default\"]"), 11, "this is no scope"},
      {"an OIDC scope",             With("scopes = [\"Mail.Read\"]", "scopes = [\"Mail.Read\", \"offline_access\"]"), 11, "this is no scope"},
      {"an unknown admin group",    With("group:purser-operators", "group:nosuch"),            13, "no group \"nosuch\""},
      {"people and no registration", With("group:purser-operators", "entra-group:66666666-7777-8888-9999-aaaaaaaaaaaa"), 12, "nobody can sign in"},
      {"a person and no registration", With("[admin]", "[admin]\nrequire_person = true"), 13, "nobody can sign in"},
      {"a group that is no GUID",   With("group:purser-operators", "entra-group:leads"),       13, "entra-group:GUID"},
      {"a user that is no GUID",    With("group:purser-operators", "entra-user:jo@contoso.example"), 13, "entra-user:GUID"},
      {"another kind of holder",    With("group:purser-operators", "entra-role:66666666-7777-8888-9999-aaaaaaaaaaaa"), 13, "entra-user:GUID"},
      {"too short a session",       With("[admin]", "[admin]\nsession = \"1m\""),            13, "from 5m to 12h"},
      {"too long a session",        With("[admin]", "[admin]\nsession = \"13h\""),           13, "from 5m to 12h"},
      {"an upstream not there",     With("[admin]", "[admin]\nupstream = \"stopper\""),      13, "there is no [credential.stopper]"},
      {"admins without a number",   With("group:purser-operators", "group:65534"),             13, "every unmapped group"},
      {"a vault that is not there", With("", app + "scopes = [\"Reports.Read.All\"]\nvault = \"corp\"\n"), 24, "there is no [vault.corp]"},
  };
  // clang-format on
  CheckFaults(rows);
}

TEST_CASE("Every fault of a set is reported at once, from top to bottom") {
  const auto got = fixture::Parse(With("name = \"zrh\"", "name = \"Z\"\nnmae = 1") + "[x]\n");
  REQUIRE_FALSE(got.has_value());
  REQUIRE(got.error().size() == 3);
  CHECK(Format(got.error()[0]).starts_with("/etc/purser/purser.toml:2:8: "));
  CHECK(Format(got.error()[1]).starts_with("/etc/purser/purser.toml:3:1: "));
  CHECK(Format(got.error()[2]).starts_with("/etc/purser/purser.toml:21:"));
}

TEST_CASE("agents.d holds agents only, each once") {
  const SourceFile main{"/etc/purser/purser.toml", std::string(fixture::kBase)};
  const SourceFile billing{"/etc/purser/agents.d/billing.toml",
                           "[agent.billing]\nuser = \"billing\"\n"};
  const auto both = fixture::ParseFiles({main, billing});
  REQUIRE(both.has_value());
  CHECK(both->agents.size() == 2);
  CHECK(both->agents.at("billing").place.file == billing.path);

  const auto twice = fixture::ParseFiles(
      {main, {"/etc/purser/agents.d/h.toml", "[agent.helpdesk]\nuser = \"billing\"\n"}});
  REQUIRE_FALSE(twice.has_value());
  CHECK(Format(twice.error()[0]).starts_with("/etc/purser/agents.d/h.toml:1:8: "));
  CHECK(twice.error()[0].message.find("/etc/purser/purser.toml:14") != std::string::npos);

  const auto policy =
      fixture::ParseFiles({main, {"/etc/purser/agents.d/p.toml", "[policy]\nnever = []\n"}});
  REQUIRE_FALSE(policy.has_value());
  CHECK(policy.error()[0].message.find("move [policy] to purser.toml") != std::string::npos);
}

TEST_CASE("A valid configuration is read whole, with its defaults") {
  const Config config = fixture::Valid(std::string(fixture::kBase));
  CHECK(config.tenant.authority == "https://login.microsoftonline.com");
  CHECK(config.tenant.graph == "https://graph.microsoft.com");
  CHECK(config.paths.run == "/run/purser");
  CHECK(config.hardening.strict);
  CHECK_FALSE(config.hardening.allow_same_uid);
  CHECK_FALSE(config.credentials.at("mail").confidential);
  CHECK(config.admin.operator_gids == std::vector<uint32_t>{3002});
  const Agent& agent = config.agents.at("helpdesk");
  CHECK(agent.selectors.uid == 2001);
  CHECK(agent.limit == Limit{3600, std::chrono::hours{1}});
  REQUIRE(agent.rules.size() == 1);
  CHECK(agent.rules[0].decision == "log");
  CHECK(agent.rules[0].deliver == "token");
  CHECK_FALSE(agent.rules[0].limit.has_value());
  CHECK(agent.rules[0].place.line == 16);
  CHECK(AgentSocketPath(config, "helpdesk") == "/run/purser/agents/helpdesk/sock");
  CHECK(Hosts(config) ==
        std::vector<std::string>{"graph.microsoft.com:443", "login.microsoftonline.com:443"});
}

TEST_CASE("Roles are for groups of this machine, and for groups and people of Entra") {
  const Config config = fixture::Valid(
      With("operators = [\"group:purser-operators\"]",
           "operators = [\"entra-user:66666666-7777-8888-9999-AAAAAAAAAAAA\", "
           "\"group:purser-operators\"]\n"
           "approvers = [\"entra-group:66666666-7777-8888-9999-bbbbbbbbbbbb\"]\n"
           "client_id = \"11111111-2222-3333-4444-555555555556\"\nrequire_person = true\n"));
  CHECK(config.admin.operator_gids == std::vector<uint32_t>{3002});
  CHECK(config.admin.operator_entra.users ==
        std::vector<std::string>{"66666666-7777-8888-9999-aaaaaaaaaaaa"});
  CHECK(config.admin.operator_entra.groups.empty());
  CHECK(config.admin.approver_gids.empty());
  CHECK(config.admin.approver_entra.groups ==
        std::vector<std::string>{"66666666-7777-8888-9999-bbbbbbbbbbbb"});
  CHECK(config.admin.session == std::chrono::hours(1));
  CHECK(config.admin.require_person);
}

TEST_CASE("Clouds, the environment, and trying things out") {
  const Config custom =
      fixture::Valid(With("[seal]",
                          "cloud = \"custom\"\nauthority = \"https://127.0.0.1:8443\"\ngraph = "
                          "\"https://[::1]:8444\"\n[seal]"));
  CHECK(Hosts(custom) == std::vector<std::string>{"127.0.0.1:8443", "[::1]:8444"});
  const Config china = fixture::Valid(With("[seal]", "cloud = \"china\"\n[seal]"));
  CHECK(china.tenant.graph == "https://microsoftgraph.chinacloudapi.cn");

  const Config env = fixture::Valid(With("\"contoso.onmicrosoft.com\"", "\"env:TENANT\""));
  CHECK(env.tenant.id == "8f0c0000-1111-2222-3333-444444444444");

  const Config same = fixture::Valid(
      With("[agent.helpdesk]\nuser = \"helpdesk\"",
           "[hardening]\nallow_same_uid = true\n[agent.helpdesk]\nuser = 2000\nlimit = \"none\""));
  CHECK(same.agents.at("helpdesk").selectors.uid == 2000);
  CHECK(same.agents.at("helpdesk").limit.count == 0);
}

TEST_CASE("The digest covers every byte of the set, the order, and the environment used") {
  const std::vector<SourceFile> one = {{"/etc/purser/purser.toml", "a"}};
  // printf 'purser.toml 1\na' | sha256sum
  CHECK(ConfigDigest(one, {}) ==
        "76d946dd7eb2e91c1a177b25810a5350133dd7168557147787fb6b4b99ee2b30");
  const std::vector<SourceFile> elsewhere = {{"purser.toml", "a"}};
  CHECK(ConfigDigest(elsewhere, {}) == ConfigDigest(one, {}));
  const std::vector<SourceFile> other = {{"/etc/purser/purser.toml", "b"}};
  const std::vector<SourceFile> two = {one[0], {"/etc/purser/agents.d/x.toml", "x"}};
  CHECK(ConfigDigest(other, {}) != ConfigDigest(one, {}));
  CHECK(ConfigDigest(two, {}) != ConfigDigest(one, {}));
  CHECK(ConfigDigest(one, {{"TENANT", "x"}}) != ConfigDigest(one, {}));
  CHECK(ConfigDigest(one, {{"TENANT", "x"}}) != ConfigDigest(one, {{"TENANT", "y"}}));
}

TEST_CASE("The example configuration is valid, and the digest is what sha256sum prints") {
  std::ifstream in(PURSER_SOURCE_DIR "/deploy/examples/purser.toml");
  const Config config = fixture::Valid(std::string(std::istreambuf_iterator<char>(in), {}));
  CHECK(config.instance.name == "helpdesk-zrh");
  CHECK(config.agents.at("helpdesk").rules.size() == 2);
  CHECK(config.sha256.size() == 64);
}

TEST_CASE("An empty set and one beyond all measure are refused") {
  CHECK_FALSE(fixture::ParseFiles({}).has_value());
  const auto got = fixture::Parse(std::string(kMaxConfigBytes + 1, '#'));
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error()[0].message.find("4 MiB") != std::string::npos);
}
