#include "broker/policy/registrations.h"

#include <fstream>
#include <sstream>

#include "broker/policy/credential_commands.h"
#include "broker/policy/registration_commands.h"
#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using fixture::Valid, fixture::With;

namespace {

std::string ReadText(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// "mail (helpdesk): Mail.Read\n", a line for each.
std::string Lines(const Config& config) {
  std::string lines;
  for (const Registration& one : DeriveRegistrations(config)) {
    lines += one.credential + " (";
    for (const std::string& agent : one.agents) lines += agent + " ";
    lines += "):";
    for (const std::string& scope : one.scopes) lines += " " + scope;
    lines += "\n";
  }
  return lines;
}

std::string May(const std::string& agent, const std::string& scope, const std::string& credential) {
  return "[[agent." + agent + ".allow]]\nname = \"r" + std::to_string(scope.size()) +
         "\"\nscopes = [\"" + scope + "\"]\ncredential = \"" + credential + "\"\n";
}

constexpr const char* kApp = R"([credential.app]
kind = "certificate"
client_id = "00000000-0000-0000-0000-000000000000"
scopes = ["Reports.Read.All", "https://vault.example/Files.Read"]
)";
constexpr const char* kBilling = "[agent.billing]\nuser = \"billing\"\n";
constexpr const char* kVault = R"([vault.corp]
kind = "azure-key-vault"
url = "https://corp.vault.azure.net"
auth = "credential:reader"
[credential.reader]
kind = "certificate"
client_id = "33333333-2222-3333-4444-555555555555"
)";

}  // namespace

TEST_CASE("One registration for each set of scopes that agents may have") {
  const std::string helpdesk = "mail (helpdesk ): Mail.Read\n";
  // clang-format off
  struct Row { std::string why, added, expected; };
  const Row rows[] = {
      {"a credential with one agent",          "", helpdesk},
      {"a credential that no rule uses",       kApp, helpdesk},
      {"two agents with the same scopes",      kBilling + May("billing", "Mail.Read", "mail"), "mail (billing helpdesk ): Mail.Read\n"},
      {"two agents with other scopes",         kApp + May("helpdesk", "Reports.Read.All", "app") + kBilling + May("billing", "https://vault.example/Files.Read", "app"),
                                               "app-helpdesk (helpdesk ): Reports.Read.All\napp-billing (billing ): https://vault.example/Files.Read\n" + helpdesk},
      {"what rules grant, not what is listed", kApp + May("helpdesk", "Reports.Read.All", "app"), "app (helpdesk ): Reports.Read.All\n" + helpdesk},
      {"one that shows a vault who asks",      kVault, helpdesk + "reader ():\n"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(Lines(Valid(With("", row.added))) == row.expected);
  }
  const std::string upstream = std::string(kApp) + "[admin]\nupstream = \"app\"";
  CHECK(Lines(Valid(With("[admin]", upstream))) ==
        "app (): Reports.Read.All https://vault.example/Files.Read\n" + helpdesk);
}

TEST_CASE("The script is what it was when somebody last read it") {
  // To accept a change: read the difference, then run with PURSER_ACCEPT=1.
  for (const std::string name : {"applications", "identities"}) {
    CAPTURE(name);
    const std::string at = PURSER_SOURCE_DIR "/test/broker/policy/registrations/" + name;
    const std::string script = RegistrationCommands(Valid(ReadText(at + ".toml")));
    if (std::getenv("PURSER_ACCEPT") != nullptr) std::ofstream(at + ".sh") << script;
    CHECK(script == ReadText(at + ".sh"));
  }
}

TEST_CASE("What a configuration says stays a word of the shell, and text of a here-document") {
  CHECK(ShellWord("Mail.Read") == "Mail.Read");
  CHECK(ShellWord("") == "''");
  CHECK(ShellWord("a b") == "'a b'");
  CHECK(ShellWord("$(id)") == "'$(id)'");
  CHECK(ShellWord("it's") == "'it'\\''s'");
  CHECK(HereText("$(id) `id` \\") == "\\$(id) \\`id\\` \\\\");
}
