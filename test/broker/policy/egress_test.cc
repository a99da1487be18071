#include "broker/policy/egress.h"

#include <algorithm>

#include "broker/policy/config_parser.h"
#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using fixture::Valid, fixture::With;

namespace {

constexpr const char* kVaults = R"([vault.corp]
kind = "azure-key-vault"
url = "https://corp.vault.azure.net"
auth = "managed-identity"
[vault.hr]
kind = "azure-key-vault"
url = "https://corp.vault.azure.net"
auth = "managed-identity"
[vault.mounted]
kind = "mounted-files"
path = "/mnt/secrets"
)";
constexpr const char* kIdentity = R"([credential.arc]
kind = "managed-identity"
client_id = "22222222-2222-3333-4444-555555555555"
source = "azure-arc"
scopes = ["Mail.Read"]
)";

std::string Lines(const Config& config) {
  std::string lines;
  for (const Destination& to : Egress(config)) {
    lines += to.host + (to.proxied ? " (proxied) " : " ") + to.reason + "\n";
  }
  return lines;
}

}  // namespace

TEST_CASE("Egress names each destination once, with every reason") {
  CHECK(Lines(Valid(With("", ""))) ==
        "graph.microsoft.com:443 Microsoft Graph, to rotate and revoke purser's own credentials\n"
        "login.microsoftonline.com:443 Entra's tokens, keys and discovery document for tenant "
        "contoso.onmicrosoft.com\n");
  CHECK(Lines(Valid(With("", std::string(kVaults) + kIdentity +
                                 "[network]\nproxy = \"http://proxy.corp:3128\"\n"))) ==
        "corp.vault.azure.net:443 (proxied) key vault corp; key vault hr\n"
        "graph.microsoft.com:443 (proxied) Microsoft Graph, to rotate and revoke purser's own "
        "credentials\n"
        "login.microsoftonline.com:443 (proxied) Entra's tokens, keys and discovery document for "
        "tenant contoso.onmicrosoft.com\n"
        "127.0.0.1:40342 managed identity of credential arc (azure-arc)\n"
        "169.254.169.254:80 managed identity for key vault corp (imds); managed identity for key "
        "vault hr (imds)\n"
        "proxy.corp:3128 [network] proxy\n");
}

TEST_CASE("Egress says which key vault opens the store") {
  std::string text =
      With("kind = \"passphrase\"", "kind = \"azure-key-vault\"\nvault = \"corp\"\nname = \"kek\"");
  CHECK(Lines(Valid(text.append(kVaults)))
            .contains("key vault corp, whose key opens the store; key vault hr\n"));
}

TEST_CASE("Egress is the dialer's list: no host more, none less, none without a reason") {
  const Config config = Valid(With("", std::string(kVaults) + kIdentity));
  std::vector<std::string> expected = Hosts(config);
  std::ranges::copy(LocalHosts(config), std::back_inserter(expected));
  std::vector<std::string> got;
  for (const Destination& to : Egress(config)) {
    got.push_back(to.host);
    CHECK_FALSE(to.reason.empty());
  }
  CHECK(got == expected);
}
