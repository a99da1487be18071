// A certificate's versions, whose keys stay in the vault: looked at, made, disabled, and signed
// with.
#include "test/vault_adapters/key_vault_fixture.h"
#include "vault_adapters/key_vault_keys.h"

using broker::Base64UrlEncode, broker::ErrorCode, broker::Fail, broker::Result;
using key_vault::ErrorBody, key_vault::kUrl, key_vault::kV1, key_vault::kV2, key_vault::kV3;
using nlohmann::json;
using vault::KeyVaultKeys;

namespace {

const std::string kVersioned = "?api-version=7.4";
const std::string kCert = kUrl + "/certificates/app-cert";
const std::string kPending = kCert + "/pending" + kVersioned;

struct Versions : key_vault::Fixture {
  // What the journal says, one answer after the other; the last one stays.
  std::vector<Result<std::string>> actives{std::string()};
  size_t asked = 0;
  KeyVaultKeys keys{client,
                    {{"app", {"app-cert", {}}}, {"pinned", {"app-cert", kV1}}},
                    [this](const std::string& credential) {
                      CHECK(credential == "app");
                      return actives.at(std::min(asked++, actives.size() - 1));
                    }};

  void Push(const json& body, int status = 200) { http.Push(status, body.dump()); }
  void PushNoPending() { http.Push(404, ErrorBody("PendingCertificateNotFound")); }
  void PushPending(const char* status) {
    Push({{"id", kCert + "/pending"}, {"status", status}, {"request_id", "r"}});
  }
};

json Policy(const char* issuer = "Self") {
  return {{"id", kCert + "/policy"},
          {"issuer", {{"name", issuer}, {"cty", "OV-SSL"}}},
          {"key_props",
           {{"exportable", false}, {"kty", "RSA-HSM"}, {"key_size", 3072}, {"reuse_key", true}}},
          {"x509_props", {{"subject", "CN=caf\u00e9"}, {"validity_months", 12}}},
          {"lifetime_actions", json::array()},
          {"attributes", {{"enabled", true}}}};
}

json Certificate(const std::string& version, const json& more = json::object()) {
  json certificate = {{"id", kCert + "/" + version},
                      {"kid", kUrl + "/keys/app-cert/" + version},
                      {"sid", kUrl + "/secrets/app-cert/" + version},
                      {"cer", "Zm9v"},  // "foo"
                      {"policy", Policy()},
                      {"attributes", {{"enabled", true}}}};
  certificate.update(more);
  return certificate;
}

}  // namespace

TEST_CASE("The newest version is looked at when the vault is at none; a named one at once") {
  Versions t;
  t.PushNoPending();
  t.Push(Certificate(kV2, {{"tags", {{"purser-rotation", "purser zrh app 00"}}}}));
  const auto newest = t.keys.Look("app", {});
  REQUIRE(newest.has_value());
  CHECK(newest->version == kV2);
  CHECK(newest->certificate == "foo");
  CHECK(newest->label == "purser zrh app 00");
  CHECK(newest->enabled);
  CHECK(t.http.seen[0].url == kPending);
  CHECK(t.http.seen[1].url == kCert + kVersioned);
  t.Push(Certificate(kV1, {{"attributes", {{"enabled", false}}}, {"tags", {{"owner", "ada"}}}}));
  const auto named = t.keys.Look("app", kV1);
  REQUIRE(named.has_value());
  CHECK(named->label.empty());
  CHECK_FALSE(named->enabled);
  CHECK(t.http.seen[2].url == kCert + "/" + kV1 + kVersioned);
}

TEST_CASE("While the vault is at a version the newest is not told; ended, however, it is") {
  struct Row {
    const char* status;
    bool told;
  };
  for (const Row& row : {Row{"inProgress", false}, Row{"InProgress", false}, Row{"completed", true},
                         Row{"failed", true}, Row{"canceled", true}}) {
    CAPTURE(row.status);
    Versions t;
    t.PushPending(row.status);
    t.Push(Certificate(kV1));
    const auto newest = t.keys.Look("app", {});
    CHECK(newest.has_value() == row.told);
    if (!newest) CHECK(newest.error().code == ErrorCode::kConflict);
    CHECK(t.http.seen.size() == (row.told ? 2 : 1));
  }
}

TEST_CASE("What is no pending operation of this certificate is refused") {
  const json right = {{"id", kCert + "/pending"}, {"status", "completed"}};
  for (const json& change : {json{{"id", kUrl + "/certificates/other/pending"}},
                             json{{"id", kCert}}, json{{"id", "pending"}}, json{{"id", nullptr}},
                             json{{"status", nullptr}}, json{{"status", 1}}}) {
    CAPTURE(change.dump());
    Versions t;
    json wrong = right;
    wrong.update(change);
    t.Push(wrong);
    CHECK(t.keys.Look("app", {}).error().code == ErrorCode::kCorrupt);
  }
}

TEST_CASE("A version is made with the certificate's policy, its own key, and the label as a tag") {
  for (const char* issuer : {"Self", "Unknown"}) {
    CAPTURE(issuer);
    Versions t;
    t.Push(Certificate(kV1, {{"policy", Policy(issuer)}}));
    t.Push({{"id", kCert + "/pending"}, {"status", "inProgress"}}, 202);
    CHECK(t.keys.Make("app", "purser zrh app 00").has_value());
    const auto& sent = t.http.seen[1];
    CHECK(sent.method == "POST");
    CHECK(sent.url == kCert + "/create" + kVersioned);
    const json body = json::parse(sent.body);
    CHECK(body["tags"] == json{{"purser-rotation", "purser zrh app 00"}});
    const json& policy = body["policy"];
    CHECK(policy["issuer"] == json{{"name", "Self"}});
    CHECK(
        policy["key_props"] ==
        json{{"exportable", false}, {"kty", "RSA-HSM"}, {"key_size", 3072}, {"reuse_key", false}});
    CHECK(policy["x509_props"] == json{{"subject", "CN=caf\u00e9"}, {"validity_months", 7}});
    CHECK(policy.contains("lifetime_actions"));
    CHECK_FALSE(policy.contains("id"));
    CHECK_FALSE(policy.contains("attributes"));
    CHECK(body.size() == 2);
  }
}

TEST_CASE("Only the making of a version may be answered with 202") {
  Versions t;
  t.Push(Certificate(kV1), 202);
  CHECK_FALSE(t.keys.Look("app", kV1).has_value());
}

TEST_CASE("Who else is to sign a certificate, or a policy that is none, is refused unasked") {
  struct Row {
    json policy;
    ErrorCode code;
  };
  for (const Row& row :
       {Row{Policy("DigiCert"), ErrorCode::kInvalidRequest},
        Row{Policy("self"), ErrorCode::kInvalidRequest},
        Row{Policy(""), ErrorCode::kInvalidRequest},
        Row{json{{"issuer", "Self"}}, ErrorCode::kInvalidRequest},
        Row{json::object(), ErrorCode::kInvalidRequest}, Row{json("Self"), ErrorCode::kCorrupt},
        Row{json(), ErrorCode::kCorrupt}}) {
    CAPTURE(row.policy.dump());
    Versions t;
    t.Push(Certificate(kV1, {{"policy", row.policy}}));
    CHECK(t.keys.Make("app", "label").error().code == row.code);
    t.PushNoPending();
    t.Push(Certificate(kV1, {{"policy", row.policy}}));
    CHECK(t.keys.MayMake("app", kV1).error().code == row.code);
    for (const auto& seen : t.http.seen) CHECK(seen.method == "GET");
  }
}

TEST_CASE("Whether a version may be made is asked without a change, and not while one is made") {
  Versions t;
  t.PushNoPending();
  t.Push(Certificate(kV2));
  t.Push(Certificate(kV1));
  t.Push(Certificate(kV1));
  CHECK(t.keys.MayMake("app", kV1).has_value());
  CHECK(t.http.seen[0].url == kPending);
  CHECK(t.http.seen[1].url == kCert + kVersioned);  // the policy comes with the newest alone
  CHECK(t.http.seen[2].method == "GET");
  CHECK(t.http.seen[3].method == "PATCH");
  CHECK(t.http.seen[3].url == kCert + "/" + kV1 + kVersioned);
  CHECK(t.http.seen[3].body == R"({"attributes":{"enabled":true}})");
  t.PushPending("inProgress");
  CHECK(t.keys.MayMake("app", kV1).error().code == ErrorCode::kConflict);
  t.PushNoPending();
  t.Push(Certificate(kV1));
  t.http.Push(403, ErrorBody("Forbidden", "ForbiddenByRbac"));
  const auto may = t.keys.MayMake("app", kV1);
  REQUIRE_FALSE(may.has_value());
  CHECK(may.error().code == ErrorCode::kDenied);
  CHECK(may.error().detail.contains("Key Vault Certificates Officer"));
}

TEST_CASE("A version that somebody disabled in the vault is not enabled by asking") {
  const json disabled = {{"attributes", {{"enabled", false}}}};
  for (const bool newest : {true, false}) {
    CAPTURE(newest);
    Versions t;
    t.PushNoPending();
    if (!newest) t.Push(Certificate(kV2));
    t.Push(Certificate(kV1, disabled));
    const auto may = t.keys.MayMake("app", kV1);
    REQUIRE_FALSE(may.has_value());
    CHECK(may.error().code == ErrorCode::kConflict);
    CHECK(may.error().detail.contains("disabled"));
    for (const auto& seen : t.http.seen) CHECK(seen.method == "GET");
  }
}

TEST_CASE("A new version's key cannot be exported, whatever the one before was") {
  for (const json& props : {json{{"exportable", true}}, json::object(), json()}) {
    CAPTURE(props.dump());
    Versions t;
    json policy = Policy();
    policy["key_props"] = props;
    t.Push(Certificate(kV1, {{"policy", policy}}));
    t.Push({{"id", kCert + "/pending"}, {"status", "inProgress"}}, 202);
    REQUIRE(t.keys.Make("app", "label").has_value());
    const json sent = json::parse(t.http.seen[1].body)["policy"]["key_props"];
    CHECK(sent == json{{"exportable", false}, {"reuse_key", false}});
  }
}

TEST_CASE("A vault that refuses to make a version says what to do about it") {
  struct Row {
    int status;
    const char* code;
    ErrorCode means;
    const char* says;
  };
  for (const Row& row :
       {Row{409, "Forbidden", ErrorCode::kConflict, "certificate operation"},
        Row{403, "Forbidden", ErrorCode::kDenied, "Key Vault Certificates Officer"},
        Row{400, "BadParameter", ErrorCode::kInvalidRequest, "refused as malformed"},
        Row{503, "ServiceUnavailable", ErrorCode::kUnavailable, "cannot be reached"}}) {
    CAPTURE(row.status);
    Versions t;
    t.Push(Certificate(kV1));
    t.http.Push(row.status, ErrorBody(row.code));
    const auto made = t.keys.Make("app", "label");
    REQUIRE_FALSE(made.has_value());
    CHECK(made.error().code == row.means);
    CHECK(made.error().detail.contains(row.says));
  }
}

TEST_CASE("A version is disabled; a pinned one, and what is no version, is left alone") {
  Versions t;
  t.Push(Certificate(kV1));
  CHECK(t.keys.Disable("app", kV1).has_value());
  CHECK(t.http.seen[0].url == kCert + "/" + kV1 + kVersioned);
  CHECK(t.http.seen[0].body == R"({"attributes":{"enabled":false}})");
  for (const char* version : {"", "1", "../x"}) {
    CHECK(t.keys.Disable("app", version).error().code == ErrorCode::kInvalidRequest);
  }
  CHECK(t.keys.Disable("pinned", kV1).error().code == ErrorCode::kInvalidRequest);
  CHECK(t.keys.Disable("nosuch", kV1).error().code == ErrorCode::kNotFound);
  CHECK(t.http.seen.size() == 1);
}

TEST_CASE("Proofs are signed with RS256, by the version that is named") {
  Versions t;
  broker::Signer::Digest digest;
  digest.fill(std::byte{0xab});
  const std::string signature(256, 's');
  t.Push({{"kid", kUrl + "/keys/app-cert/" + kV2}, {"value", Base64UrlEncode(signature)}});
  CHECK(t.keys.SignRs256("app", kV2, digest).value() == signature);
  CHECK(t.http.seen[0].url == kUrl + "/keys/app-cert/" + kV2 + "/sign" + kVersioned);
  CHECK(json::parse(t.http.seen[0].body)["alg"] == "RS256");
  CHECK(t.keys.SignRs256("app", "latest", digest).error().code == ErrorCode::kInvalidRequest);
  CHECK(t.keys.SignRs256("nosuch", kV2, digest).error().code == ErrorCode::kNotFound);
}

TEST_CASE("The version in use signs, whichever is the newest; a pinned one goes before it") {
  Versions t;
  t.actives = {kV2};
  t.Push(Certificate(kV2));
  CHECK(t.keys.Current("app")->version == kV2);
  CHECK(t.http.seen[0].url == kCert + "/" + kV2 + kVersioned);
  CHECK(t.asked == 1);
  t.Push(Certificate(kV1));
  CHECK(t.keys.Current("pinned")->version == kV1);
  CHECK(t.http.seen[1].url == kCert + "/" + kV1 + kVersioned);
  CHECK(t.asked == 1);
}

TEST_CASE("A rotation that begins while the newest is looked at is noticed before it signs") {
  Versions t;
  t.actives = {std::string(), kV1};
  t.Push(Certificate(kV3));  // made meanwhile: Entra does not know it yet
  t.Push(Certificate(kV1));
  CHECK(t.keys.Current("app")->version == kV1);
  CHECK(t.http.seen[0].url == kCert + kVersioned);
  CHECK(t.http.seen[1].url == kCert + "/" + kV1 + kVersioned);
}

TEST_CASE("Where it is not known which version is in use, none signs") {
  Versions t;
  t.actives = {Fail(ErrorCode::kUnavailable, "the store is closed")};
  CHECK(t.keys.Current("app").error().code == ErrorCode::kUnavailable);
  CHECK(t.http.seen.empty());
  t.actives = {kV2};
  t.Push(Certificate(kV2, {{"attributes", {{"enabled", false}}}}));
  CHECK(t.keys.Current("app").error().detail.contains("it is disabled"));
}
