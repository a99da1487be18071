#include "broker/policy/sharing.h"

#include "test/broker/policy/config_fixture.h"

using namespace broker::policy;
using fixture::Valid, fixture::With;

namespace {

std::string WithUser(const std::string& name, const std::string& rules) {
  return "[agent." + name + "]\nuser = \"" + name + "\"\n" + rules;
}
// A rule of an agent, for one scope.
std::string May(const std::string& agent, const std::string& scope, const std::string& credential) {
  return "[[agent." + agent + ".allow]]\nname = \"r" + std::to_string(scope.size()) +
         "\"\nscopes = [\"" + scope + "\"]\ncredential = \"" + credential + "\"\n";
}
std::string App(const std::string& name, const std::string& client, const std::string& scopes) {
  return "[credential." + name + "]\nkind = \"certificate\"\nclient_id = \"" + client +
         "-2222-3333-4444-555555555555\"\nscopes = [" + scopes + "]\n";
}

}  // namespace

TEST_CASE("Agents that share a registration are warned of, and no others") {
  const std::string both = "\"Mail.Read\", \"https://vault.example/Files.Read\"";
  const std::string vault = "https://vault.example/Files.Read";
  const std::string zeros =
      "[credential.new]\nkind = \"certificate\"\nclient_id = "
      "\"00000000-0000-0000-0000-000000000000\"\nscopes = [\"Mail.Read\"]\n";
  // clang-format off
  struct Row { std::string why, text; std::vector<std::string> says; };
  const Row rows[] = {
      {"one agent shares with nobody",             With("", ""), {}},
      {"an agent without rules shares nothing",    With("", WithUser("billing", "")), {}},
      {"a registration for each agent",            With("", App("app", "99999999", "\"Mail.Read\"") + WithUser("billing", May("billing", "Mail.Read", "app"))), {}},
      {"an app's permissions and a user's are apart", With("", App("app", "11111111", "\"Mail.Read\"") + WithUser("billing", May("billing", "Mail.Read", "app"))), {}},
      {"two registrations yet to be made",         With("", zeros + zeros.substr(0, 15) + "2" + zeros.substr(15) + WithUser("billing", May("billing", "Mail.Read", "new")) + WithUser("boss", May("boss", "Mail.Read", "new2"))), {}},
      {"the same scopes from one credential",      With("", WithUser("billing", May("billing", "Mail.Read", "mail"))), {"agents billing, helpdesk share credential mail:", "they may have the same today"}},
      {"other scopes from one credential",         With("", App("app", "99999999", both) + WithUser("billing", May("billing", "Mail.Read", "app")) + WithUser("boss", May("boss", vault, "app"))), {"agents billing, boss share credential app:", "one registration for each set of scopes"}},
      {"two credentials of one registration",      With("", App("a", "ABCDEF00", "\"Mail.Read\"") + App("b", "abcdef00", "\"Mail.Read\"") + WithUser("billing", May("billing", "Mail.Read", "a")) + WithUser("boss", May("boss", "Mail.Read", "b"))), {"share one registration by credentials a, b:"}},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    std::string text = row.text;
    // "boss" may be no agent while its group is the operators': this file has none.
    text.replace(text.find("operators = [\"group:purser-operators\"]"), 38, "operators = []");
    const auto warnings = SharingWarnings(Valid(text));
    CHECK(warnings.size() == (row.says.empty() ? 0U : 1U));
    for (const std::string& said : row.says) {
      REQUIRE(warnings.size() == 1);
      CAPTURE(warnings[0].message);
      CHECK(warnings[0].message.find(said) != std::string::npos);
      CHECK(warnings[0].message.find("over_scoped") != std::string::npos);
    }
  }
}

TEST_CASE("A warning stands where its credential is written") {
  const auto warnings =
      SharingWarnings(Valid(With("", WithUser("billing", May("billing", "Mail.Read", "mail")))));
  REQUIRE(warnings.size() == 1);
  CHECK(Format(warnings[0]).starts_with("/etc/purser/purser.toml:7:"));
}
