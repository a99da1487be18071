// Broker with the real cache: what may be released to nobody is never kept.
#include <doctest/doctest.h>

#include <functional>

#include "test/broker/broker_fixture.h"
#include "test/fakes/entra_answers.h"
#include "token_cache/access_token_cache.h"

using namespace broker_test;
using broker::Secret;
using entra_answers::TokenBody, entra_answers::UserClaims;
using nlohmann::json;

namespace {

constexpr const char* kOther = "99999999-0000-4000-8000-000000000009";
constexpr const char* kChallenge = R"({"access_token":{"nbf":{"value":"1"}}})";

/// Entra answers with `claims`, as `spoil` leaves them.
struct Kept : FakeMintPorts {
  explicit Kept(broker::policy::Config config = OneAgent()) {
    broker.SetConfig(std::make_shared<const broker::policy::Config>(std::move(config)));
    const Secret secret = Secret::CopyOf("refresh");
    REQUIRE(
        vault.store.Put({"aid-mail", broker::SecretKind::kRefreshToken}, secret, 0).has_value());
    http.respond = [this](const broker::HttpRequest&) {
      json claims = UserClaims();
      claims["tid"] = kTenant;
      claims["appid"] = kApp;
      claims["oid"] = kUser;
      if (spoil) spoil(claims);
      return FakeHttp::Answer(200, TokenBody(claims, {}, claims["scp"]));
    };
  }
  std::string Ask(const std::string& agent = "helpdesk", const std::string& claims = {}) {
    caller.agent = agent;
    auto request = Fixture::Asking({"Mail.Read"});
    request.claims = claims;
    const auto got = AskAtOnce(broker, caller, request, "r");
    return got ? "granted" : std::string(Describe(got.error().refusal.reason).name);
  }

  std::function<void(json&)> spoil;
  token_cache::AccessTokenCache cache{clock};
  broker::Minter minter{ports()};
  broker::Broker broker{{cache, minter, ledger, clock, [] { return true; }, RunAtOnce},
                        std::make_shared<const broker::policy::Config>()};
  broker::Caller caller{"helpdesk", {.uid = 1000, .gid = 1000}, {}};
};

broker::policy::Config NoLimit() {
  auto config = OneAgent();
  config.agents["helpdesk"].limit = {};
  return config;
}

// Two agents of one credential; `wide` may send mail, too.
broker::policy::Config TwoAgents() {
  auto config = NoLimit();
  config.credentials["aid-mail"].scopes = {"Mail.Read", "Mail.Send"};
  auto& wide = config.agents["wide"] = config.agents["helpdesk"];
  wide.name = "wide";
  wide.rules[0].scopes = {"Mail.Read", "Mail.Send"};
  return config;
}

void AddSending(json& claims) { claims["scp"] = "Mail.Read Mail.Send"; }

}  // namespace

TEST_CASE("A token of another than configured is refused, recorded and not kept") {
  struct Row {
    const char* why;
    std::function<void(json&)> spoil;
  };
  const Row rows[] = {
      {"tenant", [](json& c) { c["tid"] = kOther; }},
      {"application", [](json& c) { c["appid"] = kOther; }},
      {"user", [](json& c) { c["oid"] = kOther; }},
      {"audience", [](json& c) { c["aud"] = "https://vault.azure.net"; }},
  };
  for (const Row& row : rows) {
    for (const char* claims : {"", kChallenge}) {
      CAPTURE(row.why);
      CAPTURE(claims);
      Kept t;
      t.spoil = row.spoil;
      CHECK(t.Ask("helpdesk", claims) == "minted_mismatch");
      CHECK(t.ledger.entries.back().reason == "minted_mismatch");
      CHECK(t.cache.size() == 0);
      t.spoil = {};
      CHECK(t.Ask("helpdesk", claims) == "granted");  // a tenant that was mended serves at once
      CHECK(t.cache.size() == 1);
    }
  }
}

TEST_CASE("An over-scoped token is not kept, and not minted again and again") {
  Kept t(NoLimit());
  t.spoil = AddSending;
  for (int i = 0; i < 10; ++i) CHECK(t.Ask() == "over_scoped");
  CHECK(t.ledger.entries.back().reason == "over_scoped");
  CHECK(t.cache.size() == 0);
  CHECK(t.http.seen.size() == 1);
  t.spoil = {};
  CHECK(t.Ask() == "over_scoped");
  t.clock.Advance(token_cache::AccessTokenCache::kOverScopedPause);
  CHECK(t.Ask() == "granted");
  CHECK(t.http.seen.size() == 2);
}

TEST_CASE("What is too much for one agent is kept where another may have it") {
  Kept t(TwoAgents());
  t.spoil = AddSending;
  CHECK(t.Ask("helpdesk") == "over_scoped");
  CHECK(t.cache.size() == 1);
  CHECK(t.Ask("wide") == "granted");
  CHECK(t.Ask("helpdesk") == "over_scoped");
  CHECK(t.http.seen.size() == 1);

  t.cache.Evict("aid-mail");
  t.spoil = [](json& c) { c["scp"] = "Files.Read Mail.Read Mail.Send"; };
  CHECK(t.Ask("wide") == "over_scoped");
  CHECK(t.Ask("helpdesk") == "over_scoped");
  CHECK(t.cache.size() == 0);
}

TEST_CASE("A renewal that yields what nobody may have ends what was kept") {
  Kept t(NoLimit());
  CHECK(t.Ask() == "granted");
  t.spoil = AddSending;
  const broker::TokenKey key{"aid-mail", "https://graph.microsoft.com", {"Mail.Read"}, "", kUser};
  CHECK_FALSE(t.cache.Renew(key, [&] { return t.broker.Renew(key); }));
  CHECK(t.cache.size() == 0);
  CHECK(t.Ask() == "over_scoped");
  CHECK(t.http.seen.size() == 2);
}
