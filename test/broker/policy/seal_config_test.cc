// [seal] kind = "azure-key-vault": what it needs, and what cannot be meant.
#include "broker/policy/config_values.h"
#include "broker/policy/schema.h"
#include "broker/policy/show.h"
#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using fixture::With;

namespace {

constexpr std::string_view kId = "client_id = \"33333333-2222-3333-4444-555555555555\"\n";
constexpr std::string_view kMachine = "auth = \"managed-identity\"\n";

// [seal] stands in line 5, its kind in line 6; `more` is appended.
std::string Sealed(std::string_view keys, std::string_view more) {
  std::string text = With("kind = \"passphrase\"\n", "kind = \"azure-key-vault\"\n");
  text.insert(text.find("[credential.mail]"), keys);
  return text.append(more);
}

std::string Corp(std::string_view auth) {
  return "[vault.corp]\nkind = \"azure-key-vault\"\nurl = \"https://corp.vault.azure.net\"\n" +
         std::string(auth);
}

std::string Identity(const std::string& name, const std::string& kind,
                     const std::string& keys = {}) {
  return "[credential." + name + "]\nkind = \"" + kind + "\"\n" + std::string(kId) + keys;
}

}  // namespace

TEST_CASE("A key vault that cannot open the store is refused where it stands") {
  const std::string both = "vault = \"corp\"\nname = \"purser-kek\"\n";
  const std::string named = Corp("auth = \"credential:reader\"\n");
  const std::string files = "[vault.files]\nkind = \"mounted-files\"\npath = \"/run/s\"\n";
  // Behind both keys [vault.corp] is in line 22, its auth in line 25.
  // clang-format off
  const fixture::FaultRow rows[] = {
      {"no vault",                     Sealed("name = \"purser-kek\"\n", Corp(kMachine)),  5, "needs vault"},
      {"no name",                      Sealed("vault = \"corp\"\n", Corp(kMachine)),       5, "needs name"},
      {"a path beside it",             Sealed(both + "path = \"/kek\"\n", Corp(kMachine)), 9, "has no path"},
      {"an unknown vault",             Sealed("vault = \"crop\"\nname = \"k\"\n", Corp(kMachine)), 7, "no [vault.crop]: did you mean \"corp\""},
      {"a vault of files",             Sealed("vault = \"files\"\nname = \"k\"\n", files), 7, "only a vault of kind"},
      {"a name with a slash",          Sealed("vault = \"corp\"\nname = \"keys/kek\"\n", Corp(kMachine)), 8, "1 to 127 of"},
      {"a name of nothing",            Sealed("vault = \"corp\"\nname = \"\"\n", Corp(kMachine)), 8, "1 to 127 of"},
      {"a version",                    Sealed(both + "version = \"0123456789abcdef0123456789abcdef\"\n", Corp(kMachine)), 9, "unknown key"},
      {"a key itself",                 Sealed(both + "key = \"x\"\n", Corp(kMachine)),     9, "key"},
      {"a passphrase with a vault",    With("kind = \"passphrase\"\n", "kind = \"passphrase\"\nvault = \"corp\"\n") + Corp(kMachine), 7, "only \"azure-key-vault\" has"},
      {"a file with a key's name",     With("kind = \"passphrase\"\n", "kind = \"file\"\npath = \"/kek\"\nname = \"k\"\n"), 8, "only \"azure-key-vault\" has"},
      {"an identity in the store",     Sealed(both, named + Identity("reader", "client-secret")), 25, "in that store is the secret of credential reader"},
      {"its certificate in the store", Sealed(both, named + Identity("reader", "certificate")), 25, "in that store is the secret of credential reader"},
      {"its proof in the store",       Sealed(both, named + Identity("reader", "agent-identity", "proof = \"print\"\n") + "[credential.print]\nkind = \"certificate\"\nclient_id = \"44444444-2222-3333-4444-555555555555\"\n"), 25, "in that store is the secret of credential print"},
      {"an identity out of a vault",   Sealed(both, named + Identity("reader", "client-secret", "vault = \"corp\"\nname = \"s\"\n")), 25, "comes from a key vault itself"},
  };
  // clang-format on
  fixture::CheckFaults(rows);
}

TEST_CASE("A key vault opens the store for who needs nothing out of it") {
  const std::string both = "vault = \"corp\"\nname = \"purser-kek\"\n";
  const std::string named = Corp("auth = \"credential:reader\"\n");
  for (const std::string& vault :
       {Corp(kMachine), Corp("auth = \"workload-identity\"\n" + std::string(kId)),
        named + "[vault.files]\nkind = \"mounted-files\"\npath = \"/run/s\"\n" +
            Identity("reader", "client-secret", "vault = \"files\"\nname = \"s\"\n"),
        named + Identity("reader", "federated", "token_file = \"/run/token\"\n")}) {
    CAPTURE(vault);
    const Config config = fixture::Valid(Sealed(both, vault));
    CHECK(config.seal.kind == "azure-key-vault");
    CHECK(config.seal.vault == "corp");
    CHECK(config.seal.key == "purser-kek");
    CHECK(ShowConfig(config).contains(
        "[seal]\nkind = \"azure-key-vault\"\nvault = \"corp\"\nname = \"purser-kek\"\n"));
  }
  const auto schema = ConfigSchema();
  const auto& seal = schema["properties"]["seal"]["properties"];
  CHECK(seal["kind"]["enum"].back() == "azure-key-vault");
  CHECK(seal.contains("vault"));
  CHECK(seal.contains("name"));
}

TEST_CASE("The identity of another vault may lie in the store") {
  const std::string other =
      "[vault.other]\nkind = \"azure-key-vault\"\nurl = \"https://other.vault.azure.net\"\nauth = "
      "\"credential:reader\"\n";
  CHECK(fixture::Parse(Sealed("vault = \"corp\"\nname = \"k\"\n",
                              Corp(kMachine) + other + Identity("reader", "client-secret")))
            .has_value());
}
