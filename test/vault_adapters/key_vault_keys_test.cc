#include "vault_adapters/key_vault_keys.h"

#include "test/vault_adapters/key_vault_fixture.h"

using broker::Base64UrlEncode, broker::ErrorCode, broker::Exit, broker::Secret;
using key_vault::ErrorBody, key_vault::kUrl, key_vault::kV1, key_vault::kV2;
using nlohmann::json;
using vault::KeyVaultAlgorithm, vault::KeyVaultKeys, vault::KeyVaultProblem;

namespace {

struct Keys : key_vault::Fixture {
  KeyVaultKeys keys{client, {{"app", {"app-cert", {}}}, {"pinned", {"app-cert", kV1}}}};

  void PushMade(const std::string& version, const std::string& bytes,
                const std::string& name = "app-cert") {
    http.Push(200, json{{"kid", kUrl + "/keys/" + name + "/" + version},
                        {"value", Base64UrlEncode(bytes)}}
                       .dump());
  }
};

broker::Signer::Digest Digest() {
  broker::Signer::Digest digest;
  digest.fill(std::byte{0xab});
  return digest;
}

json RsaKey(const std::string& version) {
  return {
      {"key",
       {{"kid", kUrl + "/keys/kek/" + version}, {"kty", "RSA-HSM"}, {"n", "AQAB"}, {"e", "AQAB"}}},
      {"attributes", {{"enabled", true}}}};
}

json Certificate(const std::string& version) {
  return {{"id", kUrl + "/certificates/app-cert/" + version},
          {"kid", kUrl + "/keys/app-cert/" + version},
          {"sid", kUrl + "/secrets/app-cert/" + version},
          {"cer", "Zm9v"},  // "foo"
          {"attributes", {{"enabled", true}}}};
}

}  // namespace

TEST_CASE("A digest is sent, a signature of the right length comes back") {
  struct Row {
    KeyVaultAlgorithm algorithm;
    const char* name;
    size_t bytes;
    bool good;
  };
  const Row rows[] = {
      {KeyVaultAlgorithm::kPs256, "PS256", 256, true},
      {KeyVaultAlgorithm::kPs256, "PS256", 384, true},
      {KeyVaultAlgorithm::kRs256, "RS256", 512, true},
      {KeyVaultAlgorithm::kEs256, "ES256", 64, true},
      {KeyVaultAlgorithm::kPs256, "PS256", 255, false},
      {KeyVaultAlgorithm::kPs256, "PS256", 64, false},
      {KeyVaultAlgorithm::kPs256, "PS256", 128, false},
      {KeyVaultAlgorithm::kEs256, "ES256", 256, false},
      {KeyVaultAlgorithm::kEs256, "ES256", 70, false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    CAPTURE(row.bytes);
    Keys t;
    const std::string signature(row.bytes, 's');
    t.PushMade(kV1, signature);
    const auto made = t.keys.Sign({"app-cert", kV1}, row.algorithm, Digest());
    CHECK(made.has_value() == row.good);
    if (made) CHECK(made->bytes == signature);
    if (!made) CHECK(made.error().problem == KeyVaultProblem::kInvalid);
    CHECK(t.http.seen[0].method == "POST");
    CHECK(t.http.seen[0].url == kUrl + "/keys/app-cert/" + kV1 + "/sign?api-version=7.4");
    CHECK(t.http.seen[0].body == std::string(R"({"alg":")") + row.name + R"(","value":")" +
                                     Base64UrlEncode(std::string(32, '\xab')) + R"("})");
  }
}

TEST_CASE("A signature by another key or version, or that is none, is refused") {
  Keys t;
  t.PushMade(kV2, std::string(256, 's'));
  CHECK(t.keys.SignPs256("app", kV1, Digest()).error().code == ErrorCode::kCorrupt);
  t.PushMade(kV1, std::string(256, 's'), "other");
  CHECK(t.keys.SignPs256("app", kV1, Digest()).error().code == ErrorCode::kCorrupt);
  t.http.Push(200, json{{"kid", kUrl + "/keys/app-cert/" + kV1}, {"value", "a+b="}}.dump());
  CHECK(t.keys.SignPs256("app", kV1, Digest()).error().code == ErrorCode::kCorrupt);
  t.http.Push(403, ErrorBody("Forbidden", "KeyExpired"));
  CHECK(t.keys.SignPs256("app", kV1, Digest()).error().code == ErrorCode::kDenied);
  CHECK(t.keys.SignPs256("nosuch", kV1, Digest()).error().code == ErrorCode::kNotFound);
  CHECK(t.keys.SignPs256("app", "latest", Digest()).error().code == ErrorCode::kInvalidRequest);
  CHECK(t.http.seen.size() == 4);
}

TEST_CASE("The certificate that Entra knows gives the version to sign with") {
  Keys t;
  t.http.Push(200, Certificate(kV2).dump());
  const auto current = t.keys.Current("app");
  REQUIRE(current.has_value());
  CHECK(current->version == kV2);
  // printf foo | openssl dgst -sha256 -binary | basenc --base64url | tr -d =
  CHECK(current->thumbprint == "LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564");
  t.http.Push(200, Certificate(kV2).dump());
  CHECK(t.keys.Current("pinned").error().code == ErrorCode::kCorrupt);
  CHECK(t.http.seen[1].url == kUrl + "/certificates/app-cert/" + kV1 + "?api-version=7.4");
  json expired = Certificate(kV2);
  expired["attributes"]["exp"] = key_vault::Now();
  t.http.Push(200, expired.dump());
  CHECK(t.keys.Current("app").error().detail.contains("expired"));
  for (const char* member : {"id", "kid", "cer", "attributes"}) {
    CAPTURE(member);
    json incomplete = Certificate(kV2);
    incomplete.erase(member);
    t.http.Push(200, incomplete.dump());
    CHECK(t.keys.Current("app").error().code == ErrorCode::kCorrupt);
  }
}

TEST_CASE("A key is wrapped, and unwrapped by the version that wrapped it") {
  Keys t;
  const std::string wrapped(256, 'w');
  t.http.Push(200, RsaKey(kV1).dump());
  t.PushMade(kV1, wrapped, "kek");
  const auto made = t.keys.Wrap({"kek", {}}, Secret::CopyOf(std::string(32, 'k')));
  REQUIRE(made.has_value());
  CHECK(made->version == kV1);
  CHECK(made->bytes == wrapped);
  CHECK(t.http.seen[1].url == kUrl + "/keys/kek/" + kV1 + "/wrapkey?api-version=7.4");
  CHECK(t.http.seen[1].body ==
        R"({"alg":"RSA-OAEP-256","value":")" + Base64UrlEncode(std::string(32, 'k')) + R"("})");
  t.PushMade(kV1, std::string(32, 'k'), "kek");
  const auto key = t.keys.Unwrap({"kek", kV1}, wrapped, 32);
  REQUIRE(key.has_value());
  CHECK(key->Expose(Exit::kTest) == std::string(32, 'k'));
  CHECK(t.http.seen[2].url == kUrl + "/keys/kek/" + kV1 + "/unwrapkey?api-version=7.4");

  t.PushMade(kV1, std::string(31, 'k'), "kek");
  CHECK(t.keys.Unwrap({"kek", kV1}, wrapped, 32).error().problem == KeyVaultProblem::kInvalid);
  t.PushMade(kV1, std::string(200, 'w'), "kek");
  CHECK(t.keys.Wrap({"kek", kV1}, Secret::CopyOf("k")).error().problem ==
        KeyVaultProblem::kInvalid);
}

TEST_CASE("What cannot be wrapped or unwrapped is not sent") {
  Keys t;
  const std::string wrapped(256, 'w');
  CHECK(t.keys.Wrap({"kek", {}}, Secret()).error().code == ErrorCode::kInvalidRequest);
  CHECK(t.keys.Wrap({"kek", {}}, Secret::CopyOf(std::string(191, 'k'))).error().code ==
        ErrorCode::kInvalidRequest);
  CHECK(t.keys.Wrap({"../x", {}}, Secret::CopyOf("k")).error().code == ErrorCode::kInvalidRequest);
  CHECK(t.keys.Unwrap({"kek", {}}, wrapped, 32).error().code == ErrorCode::kInvalidRequest);
  CHECK(t.keys.Unwrap({"kek", kV1}, "short", 32).error().code == ErrorCode::kInvalidRequest);
  CHECK(t.http.seen.empty());
}

TEST_CASE("A key's public part is read as a JWK") {
  Keys t;
  json rsa = RsaKey(kV1);
  t.http.Push(200, rsa.dump());
  const auto key = t.keys.GetKey({"kek", {}});
  REQUIRE(key.has_value());
  CHECK(key->kty == "RSA");
  CHECK(key->version == kV1);
  CHECK(key->n == "AQAB");
  json ec = {{"key",
              {{"kid", kUrl + "/keys/kek/" + kV1},
               {"kty", "EC"},
               {"crv", "P-256"},
               {"x", "AQAB"},
               {"y", "AQAB"}}},
             {"attributes", {{"enabled", true}}}};
  t.http.Push(200, ec.dump());
  CHECK(t.keys.GetKey({"kek", {}})->crv == "P-256");
  for (const char* kty : {"oct", "oct-HSM", "", "rsa"}) {
    CAPTURE(kty);
    json odd = rsa;
    odd["key"]["kty"] = kty;
    t.http.Push(200, odd.dump());
    CHECK(t.keys.GetKey({"kek", {}}).error().code == ErrorCode::kCorrupt);
  }
  rsa["key"]["n"] = "not base64url!";
  t.http.Push(200, rsa.dump());
  CHECK(t.keys.GetKey({"kek", {}}).error().code == ErrorCode::kCorrupt);
  ec["attributes"]["enabled"] = false;
  t.http.Push(200, ec.dump());
  CHECK(t.keys.GetKey({"kek", {}}).error().problem == KeyVaultProblem::kDisabled);
}
