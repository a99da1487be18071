#include <string>

#include "broker/policy/config_values.h"
#include "broker/policy/show.h"
#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using fixture::With;

namespace {

constexpr const char* kVersion = "0123456789abcdef0123456789abcdef";

// Appended to kBase: [vault.corp] stands in line 20, the credential `app` behind it.
std::string Vaulted(std::string_view vault, std::string_view credential = "") {
  std::string text = "[vault.corp]\n";
  text.append(vault);
  if (!credential.empty()) {
    text += "[credential.app]\nclient_id = \"11111111-2222-3333-4444-666666666666\"\n";
    text += "scopes = [\"Reports.Read.All\"]\n";
    text.append(credential);
  }
  return With("", text);
}

constexpr std::string_view kCorp =
    "kind = \"azure-key-vault\"\nurl = \"https://corp.vault.azure.net\"\nauth = "
    "\"managed-identity\"\n";
constexpr std::string_view kFiles = "kind = \"mounted-files\"\npath = \"/run/secrets/purser\"\n";
constexpr std::string_view kSecret =
    "kind = \"client-secret\"\nvault = \"corp\"\nname = \"app-secret\"\n";

// An agent identity that [credential.app] proves.
constexpr const char* kAgentOfApp =
    "[credential.agent]\nkind = \"agent-identity\"\nproof = \"app\"\nclient_id = "
    "\"77777777-2222-3333-4444-666666666666\"\nscopes = [\"Reports.Read.All\"]\n";

std::string Corp(std::string_view from, std::string_view to) {
  std::string text(kCorp);
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("A vault or a credential's place in it that cannot be meant is refused") {
  const std::string person =
      "[credential.app]\nkind = \"refresh-token\"\nclient_id = "
      "\"11111111-2222-3333-4444-666666666666\"\nuser = \"66666666-7777-8888-9999-aaaaaaaaaaaa\"\n"
      "scopes = [\"Calendars.Read\"]\nvault = \"corp\"\nname = \"rt\"\n";
  // clang-format off
  const fixture::FaultRow rows[] = {
      {"no kind",                    Vaulted("path = \"/run/s\"\n"),                         20, "lacks \"kind\""},
      {"a kind of a slip",           Vaulted("kind = \"azure-keyvault\"\n"),                 21, "did you mean \"azure-key-vault\""},
      {"a kind in short",            Vaulted("kind = \"keyvault\"\n"),                       21, "did you mean \"azure-key-vault\""},
      {"a secret in the vault's own", Vaulted(std::string(kCorp) + "secret = \"x\"\n"),      24, "vault = \"corp\" and name"},
      {"no url",                     Vaulted(Corp("url = \"https://corp.vault.azure.net\"\n", "")), 20, "needs url = \"https://NAME.vault.azure.net\""},
      {"no auth",                    Vaulted(Corp("auth = \"managed-identity\"\n", "")),     20, "needs auth"},
      {"plain http",                 Vaulted(Corp("https://", "http://")),                   22, "https origin"},
      {"a url with a path",          Vaulted(Corp("azure.net", "azure.net/secrets")),        22, "without a path"},
      {"another cloud's suffix",     Vaulted(Corp("vault.azure.net", "vault.azure.cn")),     22, "at https://NAME.vault.azure.net"},
      {"a look-alike",               Vaulted(Corp("corp.vault", "corpvault")),               22, "or cloud = \"custom\""},
      {"the suffix as the end",      Vaulted(Corp("corp.vault.azure.net", "vault.azure.net")), 22, "at https://NAME.vault.azure.net"},
      {"a suffix in front",          Vaulted(Corp("azure.net", "azure.net.example")),        22, "at https://NAME.vault.azure.net"},
      {"an auth that is no word",    Vaulted(Corp("managed-identity", "password")),          23, "\"credential:NAME\""},
      {"an auth of a slip",          Vaulted(Corp("managed-identity", "managed_identity")),   23, "did you mean \"managed-identity\""},
      {"an auth in short",           Vaulted(Corp("managed-identity", "workload")),           23, "did you mean \"workload-identity\""},
      {"an auth of a near name",     Vaulted(Corp("managed-identity", "credential:apps"), kSecret), 23, "did you mean \"app\""},
      {"an auth of nobody",          Vaulted(Corp("managed-identity", "credential:nosuch")), 23, "no [credential.nosuch]"},
      {"an auth of a person",        Vaulted(Corp("managed-identity", "credential:mail")),   23, "is a person's"},
      {"an auth from itself",        Vaulted(Corp("managed-identity", "credential:app"), kSecret), 23, "comes from a key vault itself"},
      {"an auth by a key in a vault", Vaulted(Corp("managed-identity", "credential:app"), "kind = \"key-vault-key\"\nvault = \"corp\"\nname = \"k\"\n"), 23, "comes from a key vault itself"},
      {"an auth proved out of itself", Vaulted(Corp("managed-identity", "credential:agent"), std::string(kSecret) + kAgentOfApp), 23, "is proved by credential app, which comes from a key vault itself"},
      {"a key vault with a path",    Vaulted(std::string(kCorp) + "path = \"/x\"\n"),        24, "has no path"},
      {"a workload without an id",   Vaulted(Corp("managed-identity", "workload-identity")), 20, "needs client_id"},
      {"an id that is none",         Vaulted(Corp("managed-identity", "workload-identity") + "client_id = \"app\"\n"), 24, "a GUID"},
      {"a machine with a token file", Vaulted(std::string(kCorp) + "token_file = \"/t\"\n"), 24, "has a token_file"},
      {"a second id",                Vaulted(Corp("managed-identity", "credential:app") + "client_id = \"11111111-2222-3333-4444-666666666666\"\n"), 24, "remove it here"},
      {"files with an id",           Vaulted(std::string(kFiles) + "client_id = \"11111111-2222-3333-4444-666666666666\"\n"), 23, "has no client_id"},
      {"files without a path",       Vaulted("kind = \"mounted-files\"\n"),                  20, "needs path"},
      {"files with a url",           Vaulted(std::string(kFiles) + "url = \"https://corp.vault.azure.net\"\n"), 23, "has no url"},
      {"files with auth",            Vaulted(std::string(kFiles) + "auth = \"managed-identity\"\n"), 23, "has no auth"},
      {"files in a relative folder", Vaulted("kind = \"mounted-files\"\npath = \"secrets\"\n"), 22, "absolute path"},
      {"a use of a slip",            Vaulted(std::string(kCorp) + "use = \"everymint\"\n"),  24, "\"memory\" or \"every-mint\""},
      {"a ttl of nothing kept",      Vaulted(std::string(kCorp) + "ttl = \"10m\"\n"),        24, "keeps nothing"},
      {"a ttl without a unit",       Vaulted(std::string(kCorp) + "use = \"memory\"\nttl = \"600\"\n"), 25, "a duration such as"},
      {"a ttl below all use",        Vaulted(std::string(kCorp) + "use = \"memory\"\nttl = \"9s\"\n"), 25, "from 10s to 1d"},
      {"a ttl beyond a day",         Vaulted(std::string(kCorp) + "use = \"memory\"\nttl = \"25h\"\n"), 25, "from 10s to 1d"},
      {"an unknown vault",           Vaulted(kCorp, "kind = \"client-secret\"\nvault = \"crop\"\nname = \"s\"\n"), 28, "there is no [vault.crop]: did you mean \"corp\""},
      {"a secret's name as secret",  Vaulted(kCorp, "kind = \"client-secret\"\nvault = \"corp\"\nsecret = \"s\"\n"), 29, "is written name = "},
      {"a secret's name at length",  Vaulted(kCorp, "kind = \"client-secret\"\nvault = \"corp\"\nsecret_name = \"s\"\n"), 29, "is written name = "},
      {"a secret itself",            Vaulted(kCorp, std::string(kSecret) + "client_secret = \"s\"\n"), 30, "never stands in the configuration"},
      {"a vault without a name",     Vaulted(kCorp, "kind = \"client-secret\"\nvault = \"corp\"\n"), 24, "needs name"},
      {"a name without a vault",     With("scopes = [\"Mail.Read\"]", "scopes = [\"Mail.Read\"]\nname = \"x\""), 12, "remove name, or add vault"},
      {"a version without a vault",  With("scopes = [\"Mail.Read\"]", "scopes = [\"Mail.Read\"]\nversion = \"" + std::string(kVersion) + "\""), 12, "remove version, or add vault"},
      {"a name with a dot",          Vaulted(kCorp, "kind = \"client-secret\"\nvault = \"corp\"\nname = \"a.b\"\n"), 29, "1 to 127 of"},
      {"a name with a slash",        Vaulted(kFiles, "kind = \"client-secret\"\nvault = \"corp\"\nname = \"../kek\"\n"), 28, "a file's name"},
      {"a hidden file",              Vaulted(kFiles, "kind = \"client-secret\"\nvault = \"corp\"\nname = \"..data\"\n"), 28, "a file's name"},
      {"a version that is none",     Vaulted(kCorp, std::string(kSecret) + "version = \"latest\"\n"), 30, "32 hexadecimal digits"},
      {"a file's version",           Vaulted(kFiles, std::string(kSecret) + "version = \"" + kVersion + "\"\n"), 29, "remove version"},
      {"a pinned refresh token",     Vaulted(kCorp) + person + "version = \"" + kVersion + "\"\n", 31, "remove version"},
      {"a refresh token in a file",  Vaulted(kFiles) + person,                               28, "cannot be written"},
      {"a suffix of a known cloud",  With("[seal]", "vault_suffix = \"vault.x.example\"\n[seal]"), 5, "knows its own vault_suffix"},
      {"a custom cloud without one", Vaulted(kCorp).insert(With("", "").find("[seal]"), "cloud = \"custom\"\nauthority = \"https://l.x\"\ngraph = \"https://g.x\"\n"), 5, "needs vault_suffix"},
  };
  // clang-format on
  fixture::CheckFaults(rows);
}

TEST_CASE("A credential that only shows a vault who asks lists no scopes, and serves no rule") {
  const std::string bare =
      "[credential.app]\nkind = \"certificate\"\nclient_id = "
      "\"11111111-2222-3333-4444-666666666666\"\n";
  const std::string corp = Corp("managed-identity", "credential:app");
  CHECK(fixture::Valid(Vaulted(corp) + bare).credentials.at("app").scopes.empty());

  const std::string rule =
      "[[agent.helpdesk.allow]]\nname = \"more\"\nscopes = [\"User.Read.All\"]\ncredential = "
      "\"app\"\n";
  for (const std::string& text : {Vaulted(corp) + bare + rule, Vaulted(kCorp) + bare,
                                  Vaulted(corp) + bare + "scopes = []\n"}) {
    CAPTURE(text);
    CHECK_FALSE(fixture::Parse(text).has_value());
  }
}

TEST_CASE("What is written about vaults arrives") {
  const Config config =
      fixture::Valid(Vaulted(std::string(kCorp) + "use = \"memory\"\nttl = \"10m\"\n",
                             std::string(kSecret) + "version = \"" + kVersion + "\"\n"));
  const Vault& corp = config.vaults.at("corp");
  CHECK(corp.kind == "azure-key-vault");
  CHECK(corp.url == "https://corp.vault.azure.net");
  CHECK(corp.auth == "managed-identity");
  CHECK(corp.memory);
  CHECK(corp.ttl == std::chrono::minutes(10));
  CHECK(config.tenant.vault_suffix == "vault.azure.net");
  const Credential& app = config.credentials.at("app");
  CHECK(app.vault == "corp");
  CHECK(app.secret == "app-secret");
  CHECK(app.version == kVersion);
  CHECK(Hosts(config) == std::vector<std::string>{"corp.vault.azure.net:443",
                                                  "graph.microsoft.com:443",
                                                  "login.microsoftonline.com:443"});

  const Config files =
      fixture::Valid(Vaulted("kind = \"mounted-files\"\npath = \"env:CREDENTIALS_DIRECTORY\"\n",
                             "kind = \"certificate\"\nvault = \"corp\"\nname = \"tls.pem\"\n"));
  CHECK(files.vaults.at("corp").path == "/run/credentials/purser.service");
  CHECK_FALSE(files.vaults.at("corp").memory);
  CHECK(Hosts(files).size() == 2);
}

TEST_CASE("A vault may ask as an application whose secret lives elsewhere") {
  CHECK(fixture::Parse(
            Vaulted(Corp("managed-identity", "credential:app"), "kind = \"client-secret\"\n"))
            .has_value());
}

TEST_CASE("A custom cloud says what its vaults' tokens are for, and may put them anywhere") {
  std::string text = Vaulted(Corp("corp.vault.azure.net", "localhost:8443"));
  text.insert(text.find("[seal]"),
              "cloud = \"custom\"\nauthority = \"https://l.x\"\ngraph = \"https://g.x\"\n"
              "vault_suffix = \"vault.azure.net\"\n");
  const Config config = fixture::Valid(text);
  CHECK(Hosts(config) == std::vector<std::string>{"g.x:443", "l.x:443", "localhost:8443"});
}

TEST_CASE("What is shown of vaults is what was written") {
  const Config config =
      fixture::Valid(Vaulted(std::string(kCorp) + "use = \"memory\"\nttl = \"90s\"\n", kSecret));
  const std::string shown = ShowConfig(config);
  CHECK(shown.contains("[vault.corp]\nkind = \"azure-key-vault\"\n"));
  CHECK(shown.contains("ttl = \"90s\"\n"));
  CHECK(shown.contains("# vault_suffix = \"vault.azure.net\"\n"));
  auto json = ConfigAsJson(config);
  auto again = ConfigAsJson(fixture::Valid(shown));
  json.erase("sha256");
  again.erase("sha256");
  CHECK(json == again);
  CHECK_FALSE(ShowConfig(fixture::Valid(Vaulted(kCorp))).contains("ttl"));
}

TEST_CASE("Durations") {
  using std::chrono::seconds;
  CHECK(ParseDuration("90s") == seconds(90));
  CHECK(ParseDuration("10m") == seconds(600));
  CHECK(ParseDuration("8h") == seconds(28800));
  CHECK(ParseDuration("1d") == seconds(86400));
  for (const char* text : {"", "s", "10", "-1s", "1.5h", "1 h", "1w", "366d", "4294967296s"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseDuration(text).has_value());
  }
  for (const char* text : {"1s", "90s", "10m", "25h", "1d", "0s"}) {
    CHECK(Format(*ParseDuration(text)) == text);
  }
}
