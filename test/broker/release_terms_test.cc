#include <doctest/doctest.h>
#include <unistd.h>

#include <array>

#include "broker/broker.h"
#include "test/broker/at_once.h"
#include "test/fakes/entra_answers.h"
#include "test/fakes/fake_mint_ports.h"
#include "test/fakes/fake_token_cache.h"

using namespace entra_answers;
using broker::Reason, broker::Secret;
using std::chrono::hours;

namespace {

constexpr const char* kChallenge = R"({"access_token":{"nbf":{"essential":true,"value":"17"}}})";
constexpr const char* kCp1 = R"({"access_token":{"xms_cc":{"values":["cp1"]}}})";
constexpr const char* kBoth =
    R"({"access_token":{"nbf":{"essential":true,"value":"17"},"xms_cc":{"values":["cp1"]}}})";

broker::policy::Config OneAgent() {
  broker::policy::Config config;
  config.tenant = {kTenant, "public", "https://login.microsoftonline.com", kGraph, ""};
  broker::policy::Agent& agent = config.agents["helpdesk"];
  agent.name = "helpdesk";
  const auto add = [&](const std::string& name, std::vector<std::string> scopes) {
    config.credentials[name] = {.name = name,
                                .kind = "refresh-token",
                                .client_id = kClient,
                                .user = kUser,
                                .scopes = scopes};
    agent.rules.push_back({.name = "use-" + name,
                           .scopes = std::move(scopes),
                           .credential = name,
                           .decision = "log",
                           .deliver = "token"});
  };
  add("wide", {"Mail.Read", "Mail.Send"});
  add("mail", {"Mail.Read"});
  return config;
}

struct Setup : FakeMintPorts {
  explicit Setup(const std::function<void(broker::policy::Rule&)>& change = {}) {
    auto config = std::make_shared<broker::policy::Config>(OneAgent());
    if (change) change(config->agents["helpdesk"].rules[1]);
    broker.SetConfig(config);
    for (const char* name : {"wide", "mail"}) {
      const Secret secret = Secret::CopyOf("refresh");
      REQUIRE(vault.store.Put({name, broker::SecretKind::kRefreshToken}, secret, 0).has_value());
    }
  }
  std::expected<broker::IssuedToken, broker::Denied> Ask(const std::string& claims = {}) {
    broker::TokenRequest request;
    request.scopes = {"Mail.Read"};
    request.claims = claims;
    return AskAtOnce(broker, caller, request, "r-1");
  }
  void Answer(int seconds, const std::string& scopes = "Mail.Read") {
    auto claims = UserClaims();
    claims["scp"] = scopes;
    claims["exp"] = NowUnix() + seconds;
    auto body = nlohmann::json::parse(TokenBody(claims));
    body["expires_in"] = seconds;
    http.Push(200, body.dump());
  }

  FakeTokenCache cache;
  broker::Minter minter{ports()};
  broker::Broker broker{{cache, minter, ledger, clock, [] { return true; }, RunAtOnce},
                        std::make_shared<const broker::policy::Config>()};
  broker::Caller caller{"helpdesk", {.uid = 1000, .gid = 1000}, {}};
};

}  // namespace

TEST_CASE("The ledger names the credential that was chosen, and those that were passed over") {
  Setup setup;
  setup.Answer(3600);
  REQUIRE(setup.Ask().has_value());
  const auto& issued = setup.ledger.entries.back();
  CHECK(issued.credential_name == "mail");
  CHECK(issued.policy_rule == "use-mail");
  CHECK(std::get<std::string>(issued.change.at("passed_over")) == "wide");
}

TEST_CASE("A token that lives longer than the rule allows is refused") {
  for (const int life : {3600, 3601, 7200}) {
    CAPTURE(life);
    Setup setup([](auto& rule) { rule.max_lifetime = hours(1); });
    setup.Answer(life);
    const auto got = setup.Ask();
    CHECK(got.has_value() == (life == 3600));
    if (!got) CHECK(got.error().refusal.reason == Reason::kMintedMismatch);
  }
}

TEST_CASE("Continuous access is asked for by rules alone, and then a token may live longer") {
  Setup plain;
  plain.Answer(27 * 3600);
  const auto refused = plain.Ask();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().refusal.reason == Reason::kMintedMismatch);
  CHECK(plain.http.seen[0].body.find("claims") == std::string::npos);
  CHECK(plain.Ask(kCp1).error().refusal.reason == Reason::kInvalidClaims);

  Setup continuous([](auto& rule) { rule.continuous_access = true; });
  continuous.Answer(27 * 3600);
  REQUIRE(continuous.Ask().has_value());
  CHECK(continuous.cache.keys.back().claims == kCp1);
  CHECK(continuous.http.seen[0].body.find("xms_cc") != std::string::npos);
  continuous.Answer(29 * 3600);
  CHECK_FALSE(continuous.Ask().has_value());
}

TEST_CASE("After a claims challenge no kept token is served, and what others share is renewed") {
  Setup setup;
  setup.Answer(3600);
  REQUIRE(setup.Ask(kChallenge).has_value());
  REQUIRE(setup.cache.dropped.size() == 1);
  CHECK(setup.cache.dropped[0].claims == kChallenge);
  REQUIRE(setup.cache.doubted.size() == 1);
  CHECK(setup.cache.doubted[0].claims.empty());
  CHECK(setup.cache.doubted[0].credential == "mail");
  CHECK(setup.cache.keys.back().claims == kChallenge);

  Setup continuous([](auto& rule) { rule.continuous_access = true; });
  continuous.Answer(3600);
  REQUIRE(continuous.Ask(kChallenge).has_value());
  CHECK(continuous.cache.dropped[0].claims == kBoth);
  CHECK(continuous.cache.doubted[0].claims == kCp1);

  Setup usual;
  usual.Answer(3600);
  REQUIRE(usual.Ask().has_value());
  CHECK(usual.cache.dropped.empty());
  CHECK(usual.cache.doubted.empty());
}

TEST_CASE("A challenge that needs a person says so, and the grant is not given up for it") {
  Setup setup;
  setup.http.Push(400, ErrorBody("interaction_required", 50076));
  const auto refused = setup.Ask(kChallenge);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().refusal.reason == Reason::kInteractionRequired);
  CHECK(broker::Describe(Reason::kInteractionRequired).action == "login");
  setup.Answer(3600);
  CHECK(setup.Ask().has_value());
}

TEST_CASE("What a token can do too much is in the log, and no person's name") {
  Setup setup;
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  const broker::Log log(ends[1], "broker", false);
  broker::Minter minter({setup.http, setup.vault, setup.ledger, setup.clock, setup.random,
                         setup.sleeper, setup.fingerprint_key, &log});
  broker::Broker broker(
      {setup.cache, minter, setup.ledger, setup.clock, [] { return true; }, RunAtOnce},
      std::make_shared<const broker::policy::Config>(OneAgent()));
  setup.Answer(3600, "Mail.Read Mail.Send ada@contoso.com Files.Read");
  broker::TokenRequest request;
  request.scopes = {"Mail.Read"};
  bool denied = false;
  broker.IssueToken(setup.caller, request, "r-1",
                    [&](auto result) { denied = !result.has_value(); });
  CHECK(denied);
  close(ends[1]);
  std::array<char, 1024> bytes{};
  const ssize_t got = read(ends[0], bytes.data(), bytes.size());
  close(ends[0]);
  REQUIRE(got > 0);
  const std::string text(bytes.data(), static_cast<size_t>(got));
  CHECK(text ==
        "level=warning role=broker event=minted_token_refused credential=mail reason=over_scoped "
        "why=\"can also do: Files.Read Mail.Send (no permission's name)\" action=admin "
        "request_id=r-1\n");
}
