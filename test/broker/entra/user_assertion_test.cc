#include "broker/entra/user_assertion.h"

#include <doctest/doctest.h>

#include <functional>

#include "test/fakes/entra_answers.h"
#include "test/fakes/test_issuer.h"

using namespace entra_answers;
using broker::ErrorCode, broker::Secret;
using broker::entra::VerificationKey;
using nlohmann::json;

namespace {

constexpr const char* kIssuer = "https://sts.windows.net/8f0c1a52-0000-4000-8000-00000000abcd/";
constexpr const char* kIssuer2 =
    "https://login.microsoftonline.com/8f0c1a52-0000-4000-8000-00000000abcd/v2.0";
constexpr const char* kOther = "99999999-0000-4000-8000-000000000009";

const TestIssuer& Issuer() {
  static const TestIssuer issuer("key-1");
  return issuer;
}

// What a user's own application was given for ours.
json Claims() {
  json claims = UserClaims();
  claims["aud"] = kClient;
  claims["iss"] = kIssuer;
  claims["appid"] = kOther;
  claims["scp"] = "access_as_user";
  return claims;
}

VerificationKey KeyOf(const TestIssuer& issuer) {
  auto keys = broker::entra::ReadJsonWebKeys(Secret::CopyOf(issuer.Jwks()));
  REQUIRE(keys.has_value());
  return keys->front();
}

broker::Result<std::string> Verify(const std::string& token, const VerificationKey& key) {
  return broker::entra::VerifyUserAssertion(
      Secret::CopyOf(token), key, {{kIssuer2, kIssuer}, kTenant, kClient, FakeClock().WallNow()});
}
broker::Result<std::string> Verify(const std::string& token) {
  return Verify(token, KeyOf(Issuer()));
}

}  // namespace

TEST_CASE("A user's token for this application says who the user is") {
  const std::function<void(json&)> rows[] = {
      [](json&) {},
      [](json& c) { c["iss"] = kIssuer2; },
      [](json& c) { c["aud"] = std::string("api://") + kClient; },
      [](json& c) { c["aud"] = "11111111-0000-4000-8000-000000000001"; },
      [](json& c) { c.erase("appid"), c["azp"] = kOther; },
      [](json& c) { c.erase("idtyp"); },
      [](json& c) { c["exp"] = NowUnix() - 299; },
      [](json& c) { c["nbf"] = NowUnix() + 299; },
  };
  for (const auto& change : rows) {
    json claims = Claims();
    change(claims);
    CAPTURE(claims.dump());
    const auto user = Verify(Issuer().Sign(claims));
    REQUIRE_MESSAGE(user.has_value(), (user ? "" : user.error().detail));
    CHECK(*user == kUser);
  }
}

TEST_CASE("Everything else is nobody's") {
  struct Row {
    const char* why;
    std::function<void(json&)> change;
  };
  const Row rows[] = {
      {"another issuer", [](json& c) { c["iss"] = "https://evil.example/"; }},
      {"another tenant's issuer",
       [](json& c) { c["iss"] = std::string("https://sts.windows.net/") + kOther + "/"; }},
      {"an issuer that begins alike", [](json& c) { c["iss"] = std::string(kIssuer) + "x"; }},
      {"no issuer", [](json& c) { c.erase("iss"); }},
      {"another tenant", [](json& c) { c["tid"] = kOther; }},
      {"no tenant", [](json& c) { c.erase("tid"); }},
      {"a token for Graph", [](json& c) { c["aud"] = kGraph; }},
      {"a token for another application", [](json& c) { c["aud"] = kOther; }},
      {"an audience that only ends alike",
       [](json& c) { c["aud"] = std::string("api://evil/") + kClient; }},
      {"api:// twice", [](json& c) { c["aud"] = std::string("api://api://") + kClient; }},
      {"two audiences", [](json& c) { c["aud"] = {kClient, kGraph}; }},
      {"no audience", [](json& c) { c.erase("aud"); }},
      {"expired", [](json& c) { c["exp"] = NowUnix() - 300; }},
      {"no expiry", [](json& c) { c.erase("exp"); }},
      {"of the future", [](json& c) { c["nbf"] = NowUnix() + 301; }},
      {"no nbf", [](json& c) { c.erase("nbf"); }},
      {"an application's", [](json& c) { c["idtyp"] = "app", c.erase("scp"); }},
      {"an application's with roles",
       [](json& c) { c.erase("scp"), c.erase("idtyp"), c["roles"] = {"a"}; }},
      {"an application's that claims scopes", [](json& c) { c["idtyp"] = "app"; }},
      {"no scope", [](json& c) { c["scp"] = ""; }},
      {"no object id", [](json& c) { c.erase("oid"); }},
      {"an object id that is a name", [](json& c) { c["oid"] = "ada"; }},
      {"times as text", [](json& c) { c["exp"] = "1795000000"; }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    json claims = Claims();
    row.change(claims);
    CHECK_FALSE(Verify(Issuer().Sign(claims)).has_value());
  }
}

TEST_CASE("A key that is published for another issuer vouches for nobody of this tenant") {
  struct Row {
    const char* issuer;
    bool serves;
  };
  for (const Row& row :
       {Row{kIssuer2, true}, Row{kIssuer, true}, Row{"", true},
        Row{"https://login.microsoftonline.com/{tenantid}/v2.0", true},
        Row{"https://login.microsoftonline.com/"
            "8F0C1A52-0000-4000-8000-00000000ABCD/v2.0",
            true},
        // of personal accounts
        Row{"https://login.microsoftonline.com/"
            "9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
            false},
        Row{"https://login.microsoftonline.us/{tenantid}/v2.0", false}, Row{"{tenantid}", false},
        Row{"https://evil.test/{tenantid}/v2.0", false}}) {
    CAPTURE(row.issuer);
    json key = Issuer().Jwk();
    if (*row.issuer != '\0') key["issuer"] = row.issuer;
    const auto keys = broker::entra::ReadJsonWebKeys(Secret::CopyOf(json{{"keys", {key}}}.dump()));
    REQUIRE(keys.has_value());
    for (const char* issuer : {kIssuer, kIssuer2}) {
      json claims = Claims();
      claims["iss"] = issuer;
      const auto user = Verify(Issuer().Sign(claims), keys->front());
      CHECK(user.has_value() == row.serves);
      if (!user) CHECK(user.error().code == ErrorCode::kDenied);
    }
  }
  json key = Issuer().Jwk();
  key["issuer"] = 7;
  CHECK_FALSE(broker::entra::ReadJsonWebKeys(Secret::CopyOf(json{{"keys", {key}}}.dump())));
}

TEST_CASE("A signature by anybody else, or of anything else, proves nothing") {
  const TestIssuer other("key-1");
  const std::string good = Issuer().Sign(Claims());
  REQUIRE(Verify(good).has_value());
  const size_t first = good.find('.');
  const size_t second = good.rfind('.');
  const std::string payload = good.substr(first, second - first);
  const auto header = [](const json& object) { return broker::Base64UrlEncode(object.dump()); };
  json forged = Claims();
  forged["oid"] = kOther;
  std::string turned = good;
  turned[second + 5] = turned[second + 5] == 'A' ? 'B' : 'A';
  const std::pair<const char*, std::string> rows[] = {
      {"another key of the same name", other.Sign(Claims())},
      {"a signature with a bit turned", turned},
      {"another's claims under a good signature",
       good.substr(0, first + 1) + broker::Base64UrlEncode(forged.dump()) + good.substr(second)},
      {"no signature", good.substr(0, second + 1)},
      {"alg none", header({{"alg", "none"}, {"kid", "key-1"}}) + payload + "."},
      {"alg none, signed", Issuer().Sign(Claims(), {{"alg", "none"}, {"kid", "key-1"}})},
      {"a symmetric algorithm", Issuer().Sign(Claims(), {{"alg", "HS256"}, {"kid", "key-1"}})},
      {"PS256", Issuer().Sign(Claims(), {{"alg", "PS256"}, {"kid", "key-1"}})},
      {"rs256 in lower case", Issuer().Sign(Claims(), {{"alg", "rs256"}, {"kid", "key-1"}})},
      {"no algorithm", Issuer().Sign(Claims(), {{"kid", "key-1"}})},
      {"no key id", Issuer().Sign(Claims(), {{"alg", "RS256"}})},
      {"another key id", Issuer().Sign(Claims(), {{"alg", "RS256"}, {"kid", "key-2"}})},
      {"a key id with a line break", Issuer().Sign(Claims(), {{"alg", "RS256"}, {"kid", "a\nb"}})},
      {"a critical extension",
       Issuer().Sign(Claims(), {{"alg", "RS256"}, {"kid", "key-1"}, {"crit", {"b64"}}})},
      {"an empty token", ""},
      {"an opaque token", "opaque"},
      {"two parts", good.substr(0, second)},
      {"five parts", good + ".a.b"},
      {"padding", good + "="},
      {"a space before", " " + good},
      {"far too long", good + std::string(17 << 10, 'A')},
  };
  for (const auto& [why, token] : rows) {
    CAPTURE(why);
    const auto user = Verify(token);
    REQUIRE_FALSE(user.has_value());
    CHECK(user.error().detail.starts_with("user assertion: "));
    CHECK(user.error().detail.size() < 80);
  }
}

TEST_CASE("Of a key set, the keys that can have signed a user's token are read") {
  const auto read = [](const json& keys) {
    return broker::entra::ReadJsonWebKeys(Secret::CopyOf(json{{"keys", keys}}.dump()));
  };
  const auto with = [](const char* name, const json& value) {
    json key = Issuer().Jwk();
    key[name] = value;
    return key;
  };
  const json good = Issuer().Jwk();
  const auto mixed = read(json::array({with("kty", "EC"),
                                       with("use", "enc"),
                                       good,
                                       {{"kty", "oct"}},
                                       with("kid", ""),
                                       with("alg", "RS512")}));
  REQUIRE(mixed.has_value());
  CHECK(mixed->size() == 1);
  CHECK(mixed->front().id == "key-1");
  CHECK(read(json::array({with("alg", "RS256")})).has_value());

  const std::pair<const char*, json> rows[] = {
      {"none", json::array()},
      {"a key twice", json::array({good, good})},
      {"no object", json::array({"key"})},
      {"a short key", json::array({TestIssuer("short", 1024).Jwk()})},
      {"another exponent", json::array({with("e", "Aw")})},
      {"no modulus", json::array({with("n", "")})},
      {"a modulus with padding", json::array({with("n", good["n"].get<std::string>() + "=")})},
      {"a symmetric key", json::array({with("kty", "oct")})},
  };
  for (const auto& [why, keys] : rows) {
    CAPTURE(why);
    const auto got = read(keys);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().code == ErrorCode::kCorrupt);
  }
  json many = json::array();
  for (int i = 0; i < 65; ++i) many.push_back(with("kid", "k" + std::to_string(i)));
  CHECK_FALSE(read(many).has_value());
  for (const char* body : {"", "[]", "{}", R"({"keys":{}})", "<html>"}) {
    CHECK_FALSE(broker::entra::ReadJsonWebKeys(Secret::CopyOf(body)).has_value());
  }
}
