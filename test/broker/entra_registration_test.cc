// A registration's own requests to Graph and Entra where its key never leaves its vault.
#include "broker/entra_registration.h"

#include <memory>

#include "broker/base/base64.h"
#include "broker/entra/client_assertion.h"
#include "broker/entra/client_certificate.h"
#include "broker/key_reference.h"
#include "test/broker/credential_kinds_setup.h"
#include "test/fakes/fake_key_versions.h"

using namespace broker;
using namespace credential_kinds;
using namespace entra_answers;
using graph::Fault;
using nlohmann::json;

namespace {

constexpr const char* kObject = "55555555-0000-4000-8000-000000000005";
constexpr const char* kKey = "66666666-0000-4000-8000-000000000006";

std::string Plain(std::string_view base64url) {
  return std::string(Base64UrlDecode(base64url).value().Expose(Exit::kTest));
}

// A JWT's parts, decoded.
struct Signed {
  explicit Signed(const std::string& jwt) {
    const size_t end = jwt.rfind('.');
    to_sign = jwt.substr(0, end);
    const size_t dot = to_sign.find('.');
    header = json::parse(Plain(to_sign.substr(0, dot)));
    claims = json::parse(Plain(to_sign.substr(dot + 1)));
    signature = Plain(jwt.substr(end + 1));
  }
  std::string to_sign, signature;
  json header, claims;
};

struct KeySetup : Setup {
  KeySetup() {
    Add({.name = "hsm", .kind = "key-vault-key", .client_id = kClient, .vault = "corp"});
    http.Push(200, TokenBody(AppClaims()));
  }
  EntraRegistration Registration() {
    return {{http, graph, clock, random, nullptr, keys}, config, config.credentials.at("hsm"), who};
  }
  Signed Assertion(size_t i) {
    const std::string body = Body(i);
    const size_t start = body.find(kAssertion) + std::string_view(kAssertion).size();
    return Signed(body.substr(start, body.find('&', start) - start));
  }
  void CheckSigned(const Signed& jwt, const std::string& by) {
    CHECK(jwt.signature == by);
    REQUIRE_FALSE(keys->digests.empty());
    CHECK(keys->digests.back() == entra::DigestOf(jwt.to_sign));
  }

  GraphClient graph{http, minter, clock};
  std::shared_ptr<FakeKeyVersions> keys = std::make_shared<FakeKeyVersions>();
  const std::string object_id = kObject;
  const Secret current = EncodeKeyReference({"v1", "old certificate", {}, true});
  const Secret made = EncodeKeyReference({"v2", "new certificate", {}, true});
};

}  // namespace

TEST_CASE("The new version's certificate is added with a proof that the version in use signs") {
  KeySetup setup;
  setup.http.Push(200, json{{"keyId", kKey}}.dump());
  const auto added = setup.Registration().Add({"label", setup.clock.WallNow()},
                                              {setup.object_id, setup.current}, setup.made);
  REQUIRE(added.has_value());
  CHECK(added->key_id == kKey);
  CHECK(setup.http.seen[1].url.ends_with("/addKey"));
  const json body = json::parse(setup.Body(1));
  CHECK(body["keyCredential"]["key"] == Base64Encode("new certificate"));
  const Signed proof(body["proof"].get<std::string>());
  CHECK(proof.header["alg"] == "RS256");
  CHECK(proof.header["x5t"] == Base64UrlEncode(entra::Sha1Thumbprint("old certificate")));
  CHECK(proof.claims["iss"] == kObject);
  setup.CheckSigned(proof, "RS256 by hsm v1");
}

TEST_CASE("A certificate is removed with such a proof, too") {
  KeySetup setup;
  setup.http.Push(204, "");
  REQUIRE(setup.Registration().Remove(kKey, {setup.object_id, setup.made}).has_value());
  CHECK(setup.http.seen[1].url.ends_with("/removeKey"));
  const json body = json::parse(setup.Body(1));
  CHECK(body["keyId"] == kKey);
  const Signed proof(body["proof"].get<std::string>());
  CHECK(proof.header["x5t"] == Base64UrlEncode(entra::Sha1Thumbprint("new certificate")));
  setup.CheckSigned(proof, "RS256 by hsm v2");
}

TEST_CASE("A version is proven by a token for an assertion that it signs itself") {
  KeySetup setup;
  REQUIRE(setup.Registration().Prove(setup.made).has_value());
  REQUIRE(setup.http.seen.size() == 1);
  const Signed assertion = setup.Assertion(0);
  CHECK(assertion.header["alg"] == "PS256");
  const auto digest = entra::DigestOf("new certificate");
  CHECK(assertion.header["x5t#S256"] ==
        Base64UrlEncode({reinterpret_cast<const char*>(digest.data()), digest.size()}));
  CHECK(assertion.claims["iss"] == kClient);
  setup.CheckSigned(assertion, "PS256 by hsm v2");
}

TEST_CASE("Graph is asked with the version that is told where the one in use is revoked") {
  KeySetup setup;
  auto registration = setup.Registration();
  CHECK(registration.AskWith(setup.made));
  CHECK_FALSE(registration.Read().has_value());  // no answer is left
  REQUIRE(setup.http.seen.size() == 2);
  setup.CheckSigned(setup.Assertion(0), "PS256 by hsm v2");
}

TEST_CASE("What the vault does not sign now is not known to be refused, and nothing is sent") {
  KeySetup setup;
  VaultError throttled{Error{ErrorCode::kUnavailable, "throttled"}};
  throttled.retry_after = std::chrono::seconds(7);
  setup.keys->sign_fails = throttled;
  auto registration = setup.Registration();
  const auto proven = registration.Prove(setup.made);
  REQUIRE_FALSE(proven.has_value());
  CHECK(proven.error().retry_after == std::chrono::seconds(7));
  const auto added = registration.Add({"label", setup.clock.WallNow()},
                                      {setup.object_id, setup.current}, setup.made);
  REQUIRE_FALSE(added.has_value());
  CHECK(added.error().fault == Fault::kUnavailable);
  CHECK(added.error().retry_after == std::chrono::seconds(7));
  const auto removed = registration.Remove(kKey, {setup.object_id, setup.current});
  REQUIRE_FALSE(removed.has_value());
  CHECK(removed.error().fault == Fault::kUnavailable);
  CHECK(setup.http.seen.empty());
}

TEST_CASE("Without the vault a version is no certificate with a key") {
  KeySetup setup;
  setup.keys.reset();
  auto registration = setup.Registration();
  CHECK_FALSE(registration.Prove(setup.made).has_value());
  const auto added = registration.Add({"label", setup.clock.WallNow()},
                                      {setup.object_id, setup.current}, setup.made);
  REQUIRE_FALSE(added.has_value());
  CHECK(added.error().fault == Fault::kRefused);
  CHECK(setup.http.seen.empty());
}
