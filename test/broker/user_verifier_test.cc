#include "broker/user_verifier.h"

#include <doctest/doctest.h>

#include <latch>
#include <thread>
#include <vector>

#include "test/fakes/entra_answers.h"
#include "test/fakes/fake_http.h"
#include "test/fakes/test_issuer.h"

using namespace entra_answers;
using broker::KeySets, broker::Reason, broker::Secret;
using std::chrono::minutes, std::chrono::seconds;

namespace {

const TestIssuer& Issuer(int i) {
  static const TestIssuer one("key-1");
  static const TestIssuer two("key-2");
  return i == 1 ? one : two;
}

struct Setup {
  Setup() {
    config.tenant = {kTenant, "public", "https://login.microsoftonline.com", kGraph, ""};
    config.credentials["app"] = {.name = "app", .kind = "certificate", .client_id = kClient};
    config.credentials["obo"] = {
        .name = "obo", .kind = "on-behalf-of", .client_id = kClient, .proof = "app"};
    config.credentials["agent"] = {.name = "agent",
                                   .kind = "agent-identity",
                                   .client_id = "55555555-0000-4000-8000-000000000005",
                                   .proof = "app",
                                   .act = "on-behalf-of"};
  }
  static std::string Token(const TestIssuer& issuer, const std::string& audience = kClient) {
    auto claims = UserClaims();
    claims["aud"] = audience;
    claims["iss"] = "https://sts.windows.net/" + std::string(kTenant) + "/";
    claims["oid"] = "22222222-0000-4000-8000-00000000000A";
    return issuer.Sign(claims);
  }
  std::expected<std::string, broker::Refusal> Verify(const std::string& token,
                                                     const std::string& credential = "obo") {
    return verifier.Verify(config, config.credentials.at(credential), Secret::CopyOf(token));
  }
  Reason Refused(const std::string& token) {
    const auto user = Verify(token);
    REQUIRE_FALSE(user.has_value());
    return user.error().reason;
  }

  broker::policy::Config config;
  FakeHttp http;
  FakeClock clock;
  KeySets keys{http, clock};
  broker::TenantResolver tenants{http, clock};
  broker::UserVerifier verifier{keys, tenants, clock};
};

}  // namespace

TEST_CASE("The keys are fetched once from the authority, and serve every user's token") {
  Setup setup;
  setup.http.Push(200, Issuer(1).Jwks());
  for (int i = 0; i < 3; ++i) {
    const auto user = setup.Verify(Setup::Token(Issuer(1)));
    REQUIRE(user.has_value());
    CHECK(*user == "22222222-0000-4000-8000-00000000000a");
  }
  REQUIRE(setup.http.seen.size() == 1);
  CHECK(setup.http.seen[0].url ==
        "https://login.microsoftonline.com/" + std::string(kTenant) + "/discovery/v2.0/keys");
  CHECK(setup.http.seen[0].body.empty());  // nobody's token goes there
}

TEST_CASE("A user's token for an agent identity is one for its blueprint") {
  Setup setup;
  setup.http.Push(200, Issuer(1).Jwks());
  CHECK(setup.Verify(Setup::Token(Issuer(1)), "agent").has_value());
  const auto own =
      setup.Verify(Setup::Token(Issuer(1), "55555555-0000-4000-8000-000000000005"), "agent");
  REQUIRE_FALSE(own.has_value());
  CHECK(own.error().reason == Reason::kInvalidUserAssertion);
}

TEST_CASE("A key that is not known is looked for once in a while, whoever asks for it") {
  Setup setup;
  setup.http.Push(200, Issuer(1).Jwks());
  REQUIRE(setup.Verify(Setup::Token(Issuer(1))).has_value());
  for (int i = 0; i < 10; ++i) {
    CHECK(setup.Refused(Setup::Token(Issuer(2))) == Reason::kInvalidUserAssertion);
  }
  CHECK(setup.http.seen.size() == 1);
  setup.clock.Advance(KeySets::kUnknownKeyPause);
  setup.http.Push(200, nlohmann::json{{"keys", {Issuer(1).Jwk(), Issuer(2).Jwk()}}}.dump());
  CHECK(setup.Verify(Setup::Token(Issuer(2))).has_value());
  CHECK(setup.Verify(Setup::Token(Issuer(1))).has_value());
  CHECK(setup.http.seen.size() == 2);
}

TEST_CASE("A fetch that hangs holds up nobody whose key is known, be it old") {
  struct Row {
    const char* why;
    int asker;  // whose key causes the fetch
    std::chrono::seconds later;
  };
  for (const Row& row : {Row{"an invented key id", 2, KeySets::kUnknownKeyPause},
                         Row{"keys that are old", 1, KeySets::kMaxAge}}) {
    CAPTURE(row.why);
    Setup setup;
    setup.http.Push(200, Issuer(1).Jwks());
    auto claims = UserClaims();
    claims["aud"] = kClient;
    claims["iss"] = "https://sts.windows.net/" + std::string(kTenant) + "/";
    claims["exp"] = NowUnix() + 24 * 3600;
    const std::string known = Issuer(1).Sign(claims);
    REQUIRE(setup.Verify(known).has_value());
    setup.clock.Advance(row.later);
    std::latch asked(1);
    std::latch answer(1);
    setup.http.respond = [&](const broker::HttpRequest&) {
      asked.count_down();
      answer.wait();
      return broker::Result<broker::HttpResponse>(FakeHttp::Answer(503, ""));
    };
    std::jthread asker([&] { static_cast<void>(setup.Verify(Issuer(row.asker).Sign(claims))); });
    asked.wait();
    CHECK(setup.Verify(known).has_value());
    answer.count_down();
    asker.join();
    CHECK(setup.http.seen.size() == 2);
  }
}

TEST_CASE("A tenant's domain that cannot be looked up is asked for once in a while, not by each") {
  Setup setup;
  setup.config.tenant.id = "contoso.com";
  setup.http.PushFailure(broker::ErrorCode::kUnavailable, "no route");
  for (int i = 0; i < 10; ++i) {
    CHECK(setup.Refused(Setup::Token(Issuer(1))) == Reason::kUpstreamUnavailable);
  }
  CHECK(setup.http.seen.size() == 1);
  setup.clock.Advance(broker::TenantResolver::kFailurePause);
  setup.http.Push(200, R"({"issuer":"https://login.microsoftonline.com/)" + std::string(kTenant) +
                           R"(/v2.0"})");
  setup.http.Push(200, Issuer(1).Jwks());
  CHECK(setup.Verify(Setup::Token(Issuer(1))).has_value());
  CHECK(setup.http.seen.size() == 3);
}

TEST_CASE("Those who ask while a tenant's domain is looked up wait for that one answer") {
  Setup setup;
  setup.config.tenant.id = "contoso.com";
  setup.http.respond = [](const broker::HttpRequest& request) {
    const bool keys = request.url.ends_with("/keys");
    return FakeHttp::Answer(200, keys ? Issuer(1).Jwks()
                                      : R"({"issuer":"https://login.microsoftonline.com/)" +
                                            std::string(kTenant) + R"(/v2.0"})");
  };
  {
    std::vector<std::jthread> askers;
    for (int i = 0; i < 8; ++i) {
      askers.emplace_back([&] { CHECK(setup.Verify(Setup::Token(Issuer(1))).has_value()); });
    }
  }
  CHECK(setup.http.seen.size() == 2);
}

TEST_CASE("What is no token at all causes no request") {
  Setup setup;
  for (const char* token : {"", "opaque", "a.b.c", "eyJhbGciOiJub25lIn0.e30."}) {
    CHECK(setup.Refused(token) == Reason::kInvalidUserAssertion);
  }
  CHECK(setup.http.seen.empty());
}

TEST_CASE("Old keys serve through an outage, and none at all is an outage") {
  Setup setup;
  setup.http.PushFailure(broker::ErrorCode::kUnavailable, "connect");
  CHECK(setup.Refused(Setup::Token(Issuer(1))) == Reason::kUpstreamUnavailable);
  CHECK(setup.Refused(Setup::Token(Issuer(1))) == Reason::kUpstreamUnavailable);
  CHECK(setup.http.seen.size() == 1);  // not again at once
  setup.clock.Advance(KeySets::kFailurePause);
  setup.http.Push(200, "<html>");
  CHECK(setup.Refused(Setup::Token(Issuer(1))) == Reason::kUpstreamInvalid);
  setup.clock.Advance(KeySets::kFailurePause);
  setup.http.Push(200, Issuer(1).Jwks());
  CHECK(setup.Verify(Setup::Token(Issuer(1))).has_value());
  setup.clock.Advance(KeySets::kMaxAge);
  const auto claims = [&] {
    auto fresh = UserClaims();
    fresh["aud"] = kClient;
    fresh["iss"] = "https://sts.windows.net/" + std::string(kTenant) + "/";
    fresh["exp"] = NowUnix() + 24 * 3600;
    return Issuer(1).Sign(fresh);
  };
  setup.http.Push(503, "");
  CHECK(setup.Verify(claims()).has_value());
  CHECK(setup.http.seen.size() == 4);
}
