#include "sidecar/broker/credential_ends.h"

#include <doctest/doctest.h>

#include "test/fakes/fake_clock.h"

namespace sidecar::broker_role {
namespace {

using broker::CredentialUse, broker::CredentialUses, broker::Expiry;
using broker::policy::Credential;
using nlohmann::json;
using std::chrono::hours;
using By = Expiry::By;

// "what by, what by" of what ends.
std::string TextOf(const std::vector<End>& ends) {
  std::string text;
  for (const End& end : ends) {
    text.append(text.empty() ? "" : ", ").append(end.what).append(" ").append(end.by);
  }
  return text;
}

TEST_CASE("each kind ends by what it lives by") {
  const FakeClock clock;
  const auto at = clock.WallNow() + hours(240);
  const std::optional<Expiry> first = Expiry{at, By::kOperator, "1"};
  const std::optional<Expiry> vaults = Expiry{at, By::kVault, "c0ffee"};
  const CredentialUse unused, used{.minted = clock.WallNow()};
  const CredentialUse stated{.expiry = first}, told{.expiry = vaults};
  const struct {
    const char* what;
    Credential credential;
    CredentialUse use;
    const char* ends;
  } rows[] = {
      {"a client secret that nobody said a word of",
       {.kind = "client-secret"},
       unused,
       "client-secret unknown"},
      {"a client secret whose end was said",
       {.kind = "client-secret"},
       stated,
       "client-secret operator"},
      {"a client secret in a vault that says",
       {.kind = "client-secret", .vault = "corp"},
       told,
       "client-secret vault"},
      {"what was said of an older secret in the store is void",
       {.kind = "client-secret"},
       told,
       "client-secret unknown"},
      {"a certificate in a vault",
       {.kind = "certificate", .vault = "corp"},
       told,
       "certificate vault"},
      {"a key in a vault that was never used",
       {.kind = "key-vault-key", .vault = "corp"},
       unused,
       "certificate unknown"},
      {"a refresh token that was never used",
       {.kind = "refresh-token"},
       unused,
       "refresh-token unknown"},
      {"a refresh token in use", {.kind = "refresh-token"}, used, "refresh-token inactivity"},
      {"a refresh token in a vault that says",
       {.kind = "refresh-token", .vault = "corp"},
       told,
       "refresh-token unknown, vault-secret vault"},
      {"a refresh token of a confidential client",
       {.kind = "refresh-token", .confidential = true},
       stated,
       "refresh-token unknown, client-secret operator"},
      {"a managed identity never ends", {.kind = "managed-identity"}, stated, ""},
      {"a federated token is renewed by the platform", {.kind = "federated"}, used, ""},
      {"an agent identity ends with its proof",
       {.kind = "agent-identity", .proof = "b"},
       stated,
       ""},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    CHECK(TextOf(EndsOf(row.credential, row.use, "1")) == row.ends);
  }
}

TEST_CASE("warnings come a month and a week before, the nearest first") {
  FakeClock clock;
  CredentialUses uses(clock);
  broker::policy::Config config;
  const std::pair<const char*, hours> ends[] = {
      {"far", hours(30 * 24 + 1)}, {"soon", hours(30 * 24)}, {"still-soon", hours(7 * 24 + 1)},
      {"urgent", hours(7 * 24)},   {"last-day", hours(1)},   {"now", hours(0)},
      {"past", hours(-25)},        {"unknown", hours(0)}};
  std::map<std::string, std::string> versions;
  for (const auto& [name, left] : ends) {
    config.credentials[name] = {.name = name, .kind = "client-secret"};
    versions[name] = "1";
    if (std::string_view(name) == "unknown") continue;
    uses.Enrolled(name, Expiry{clock.WallNow() + left, By::kOperator, "1"});
  }
  std::string told;
  for (const json& row : EndingSoon(config, uses, versions, clock.WallNow())) {
    told += row["credential"].get<std::string>() + " " + row["level"].get<std::string>() + " " +
            row["days_left"].dump() + "\n";
    CHECK(row["remedy"] == "purser secret set " + row["credential"].get<std::string>());
  }
  CHECK(told ==
        "past past -2\nnow past 0\nlast-day urgent 0\nurgent urgent 7\nstill-soon soon 7\n"
        "soon soon 30\n");
}

TEST_CASE("a refresh token that nobody uses is warned of two months after its last use") {
  FakeClock clock;
  CredentialUses uses(clock);
  broker::policy::Config config;
  config.credentials["mail"] = {.name = "mail", .kind = "refresh-token"};
  uses.Minted("mail", "1");
  clock.Advance(hours(59 * 24));
  CHECK(EndingSoon(config, uses, {}, clock.WallNow()).empty());
  clock.Advance(hours(24));
  const json rows = EndingSoon(config, uses, {}, clock.WallNow());
  REQUIRE(rows.size() == 1);
  CHECK(rows[0]["by"] == "inactivity");
  CHECK(rows[0]["remedy"] == "purser login mail");
}

TEST_CASE("a day is written in one way") {
  CHECK(*ParseDay("1970-01-02") == broker::Clock::Wall(hours(24)));
  CHECK(ParseDay("2028-02-29").has_value());
  for (const char* text :
       {"", "2027-02-29", "2027-13-01", "2027-00-01", "2027-05-32", "27-05-31", "2027-5-31",
        "2027/05/31", "2027-05-31T00:00", " 2027-05-3", "+027-05-31", "2027-05-3x"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseDay(text).has_value());
  }
}

}  // namespace
}  // namespace sidecar::broker_role
