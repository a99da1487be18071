#include "vault_adapters/azure_key_vault.h"

#include "test/fakes/test_certificate.h"
#include "test/vault_adapters/key_vault_fixture.h"
#include "test/vault_adapters/pkcs12_text.h"

using broker::ErrorCode, broker::Exit, broker::Secret, broker::SecretId, broker::SecretKind;
using key_vault::Bundle, key_vault::ErrorBody, key_vault::kUrl, key_vault::kV1, key_vault::kV2,
    key_vault::kV3;
using nlohmann::json;
using vault::KeyVaultProblem;

namespace {

const SecretId kApp{"app", SecretKind::kClientSecret};
const SecretId kPinned{"pinned", SecretKind::kClientSecret};
const SecretId kMail{"mail", SecretKind::kRefreshToken};
const SecretId kCert{"cert", SecretKind::kCertificate};

struct Vaulted : key_vault::Fixture {
  vault::AzureKeyVault vault{client,
                             {{kApp, {"app-secret", {}}},
                              {kPinned, {"app-secret", kV1}},
                              {kMail, {"mail-rt", {}}},
                              {kCert, {"app-cert", {}}},
                              {{"odd", SecretKind::kClientSecret}, {"../keys", {}}}}};
  void PushBundle(const json& bundle) { http.Push(200, bundle.dump()); }
};

std::string TextOf(const Secret& secret) { return std::string(secret.Expose(Exit::kTest)); }

json Version(const std::string& version, int64_t created) {
  return {{"id", kUrl + "/secrets/mail-rt/" + version},
          {"attributes", {{"enabled", true}, {"created", created}}}};
}

}  // namespace

TEST_CASE("The newest version, or the pinned one, is fetched with its version and its host") {
  Vaulted t;
  t.PushBundle(Bundle("s3cret", kV2));
  const auto newest = t.vault.Fetch(kApp);
  REQUIRE(newest.has_value());
  CHECK(TextOf(newest->value) == "s3cret");
  CHECK(newest->version == kV2);
  CHECK(newest->host == "corp.vault.azure.net");
  CHECK_FALSE(newest->expires.has_value());
  t.PushBundle(Bundle("older", kV1));
  CHECK(t.vault.Fetch(kPinned)->version == kV1);
  CHECK(t.http.seen[1].url == kUrl + "/secrets/app-secret/" + kV1 + "?api-version=7.4");
}

TEST_CASE("A secret is used within its own dates, and only while it is enabled") {
  const int64_t now = key_vault::Now();
  struct Row {
    const char* why;
    json attributes;
    bool usable;
    const char* says;
  };
  // clang-format off
  const Row rows[] = {
      {"no dates",          {{"enabled", true}},                    true,  ""},
      {"not said",          json::object(),                         true,  ""},
      {"null dates",        {{"nbf", nullptr}, {"exp", nullptr}},   true,  ""},
      {"from now on",       {{"nbf", now}},                         true,  ""},
      {"until in a second", {{"exp", now + 1}},                     true,  ""},
      {"until far away",    {{"exp", INT64_MAX}},                   true,  ""},
      {"disabled",          {{"enabled", false}},                   false, "enable it"},
      {"from in a second",  {{"nbf", now + 1}},                     false, "not valid yet"},
      {"until now",         {{"exp", now}},                         false, "has expired"},
      {"before all time",   {{"exp", -1}},                          false, "has expired"},
      {"enabled by word",   {{"enabled", "true"}},                  false, "attributes"},
      {"a date by word",    {{"exp", "2099-01-01"}},                false, "attributes"},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Vaulted t;
    json bundle = Bundle("s3cret", kV1);
    bundle["attributes"] = row.attributes;
    t.PushBundle(bundle);
    const auto got = t.vault.Fetch(kApp);
    CHECK(got.has_value() == row.usable);
    if (!got) CHECK(got.error().detail.contains(row.says));
  }
}

TEST_CASE("The vault's clock decides where the answer shows it") {
  Vaulted t;
  json bundle = Bundle("s3cret", kV1);
  bundle["attributes"]["nbf"] = key_vault::Now() + 30;
  auto answer = FakeHttp::Answer(200, bundle.dump());
  answer.date = t.clock.WallNow() + std::chrono::seconds(30);
  t.http.Push(std::move(answer));
  CHECK(t.vault.Fetch(kApp).has_value());
}

TEST_CASE("An answer that is not about what was asked for is refused") {
  struct Row {
    const char* why;
    std::string body;
  };
  json other_name = Bundle("v", kV1, "other");
  json longer_name = Bundle("v", kV1, "app-secret-2");
  json other_version = Bundle("v", kV2);
  json no_version = Bundle("v", kV1);
  no_version["id"] = kUrl + "/secrets/app-secret";
  json a_key = Bundle("v", kV1);
  a_key["id"] = kUrl + "/keys/app-secret/" + kV1;
  json empty = Bundle("", kV1);
  json number = Bundle("v", kV1);
  number["value"] = 7;
  json none = Bundle("v", kV1);
  none.erase("attributes");
  const Row rows[] = {{"another name", other_name.dump()},
                      {"a longer name", longer_name.dump()},
                      {"another version", other_version.dump()},
                      {"no version", no_version.dump()},
                      {"a key", a_key.dump()},
                      {"nothing", empty.dump()},
                      {"a number", number.dump()},
                      {"no attributes", none.dump()},
                      {"a list", "[]"},
                      {"no JSON", "<html>"},
                      {"twice", R"({"value":"a","value":"b"})"}};
  for (const Row& row : rows) {
    CAPTURE(row.why);
    Vaulted t;
    t.http.Push(200, row.body);
    CHECK(t.vault.Fetch(kPinned).error().code == ErrorCode::kCorrupt);
  }
}

TEST_CASE("What the configuration does not place, or places outside the vault, is not asked for") {
  Vaulted t;
  CHECK(t.vault.Fetch({"nosuch", SecretKind::kClientSecret}).error().code == ErrorCode::kNotFound);
  CHECK(t.vault.Fetch({"app", SecretKind::kRefreshToken}).error().code == ErrorCode::kNotFound);
  CHECK(t.vault.Fetch({"odd", SecretKind::kClientSecret}).error().code ==
        ErrorCode::kInvalidRequest);
  CHECK(t.http.seen.empty());
}

TEST_CASE("What was deleted but can be recovered is told from what never was") {
  Vaulted t;
  t.http.Push(404, ErrorBody("SecretNotFound"));
  t.http.Push(200, R"({"recoveryId":"x"})");
  const auto deleted = t.vault.Fetch(kApp);
  CHECK(deleted.error().code == ErrorCode::kDenied);
  CHECK(deleted.error().host == "corp.vault.azure.net");
  CHECK(deleted.error().detail.contains("az keyvault secret recover"));
  CHECK(t.http.seen[1].url == kUrl + "/deletedsecrets/app-secret?api-version=7.4");
  for (const int status : {404, 403, 500}) {
    CAPTURE(status);
    Vaulted other;
    other.http.Push(404, ErrorBody("SecretNotFound"));
    other.http.Push(status, ErrorBody("Any"));
    const auto missing = other.vault.Fetch(kApp);
    CHECK(missing.error().code == ErrorCode::kNotFound);
    CHECK(missing.error().detail.contains("there is none of this name"));
  }
}

TEST_CASE("Versions are listed newest first over all pages of this vault") {
  Vaulted t;
  t.PushBundle({{"value", {Version(kV1, 10), Version(kV3, 30)}},
                {"nextLink", kUrl + "/secrets/mail-rt/versions?api-version=7.4&$skiptoken=abc"}});
  t.PushBundle({{"value", {Version(kV2, 20)}}, {"nextLink", nullptr}});
  const auto versions = t.vault.ListVersions("mail-rt");
  REQUIRE(versions.has_value());
  REQUIRE(versions->size() == 3);
  CHECK((*versions)[0].version == kV3);
  CHECK((*versions)[2].version == kV1);
  CHECK(t.http.seen[0].url == kUrl + "/secrets/mail-rt/versions?api-version=7.4&maxresults=25");
  CHECK(t.http.seen[1].url == kUrl + "/secrets/mail-rt/versions?api-version=7.4&$skiptoken=abc");
}

TEST_CASE("A next page elsewhere is not asked for") {
  for (const char* link : {
           "https://evil.example/secrets/mail-rt/versions?x",
           "https://corp.vault.azure.net.evil.example/secrets/mail-rt/versions?x",
           "https://corp.vault.azure.net@evil.example/secrets/mail-rt/versions?x",
           "https://corp.vault.azure.net:444/secrets/mail-rt/versions?x",
           "http://corp.vault.azure.net/secrets/mail-rt/versions?x",
           "https://corp.vault.azure.net/secrets/other/versions?x",
           "https://corp.vault.azure.net/secrets/mail-rt/versions/../../other?x",
           "https://corp.vault.azure.net/secrets/mail-rt/versions?x y",
           "/secrets/mail-rt/versions?x",
       }) {
    CAPTURE(link);
    Vaulted t;
    t.PushBundle({{"value", json::array()}, {"nextLink", link}});
    CHECK(t.vault.ListVersions("mail-rt").error().problem == KeyVaultProblem::kInvalid);
    CHECK(t.http.seen.size() == 1);
  }
}

TEST_CASE("Pages without end have one") {
  Vaulted t;
  t.http.respond = [](const broker::HttpRequest&) -> broker::Result<broker::HttpResponse> {
    return FakeHttp::Answer(
        200,
        json{{"value", json::array()}, {"nextLink", kUrl + "/secrets/mail-rt/versions?x"}}.dump());
  };
  CHECK(t.vault.ListVersions("mail-rt").error().problem == KeyVaultProblem::kInvalid);
  CHECK(t.http.seen.size() == vault::AzureKeyVault::kMaxPages);
}

TEST_CASE("A refresh token is replaced only where its version is still the newest") {
  Vaulted t;
  t.PushBundle(Bundle("old", kV1, "mail-rt"));
  t.PushBundle(Bundle("new", kV2, "mail-rt"));
  CHECK(t.vault.Replace(kMail, kV1, Secret::CopyOf("new \"q\" \\ \n")).value() == kV2);
  CHECK(t.http.seen[1].method == "PUT");
  CHECK(t.http.seen[1].url == kUrl + "/secrets/mail-rt?api-version=7.4");
  CHECK(t.http.seen[1].body == R"({"value":"new \"q\" \\ \n","contentType":"text/plain"})");

  t.PushBundle(Bundle("newer", kV3, "mail-rt"));
  CHECK(t.vault.Replace(kMail, kV2, Secret::CopyOf("x")).error().code == ErrorCode::kConflict);
  t.PushBundle(Bundle("newer", kV3, "mail-rt"));
  CHECK(t.vault.Replace(kMail, "0", Secret::CopyOf("x")).error().code == ErrorCode::kConflict);
  CHECK(t.http.seen.size() == 4);
}

TEST_CASE("A first version is set where there is none, and not where one was expected") {
  for (const char* none : {"", "0"}) {
    Vaulted t;
    t.http.Push(404, ErrorBody("SecretNotFound"));
    t.http.Push(404, ErrorBody("SecretNotFound"));
    t.PushBundle(Bundle("new", kV1, "mail-rt"));
    CHECK(t.vault.Replace(kMail, none, Secret::CopyOf("new")).value() == kV1);
  }
  Vaulted t;
  t.http.Push(404, ErrorBody("SecretNotFound"));
  t.http.Push(404, ErrorBody("SecretNotFound"));
  CHECK(t.vault.Replace(kMail, kV1, Secret::CopyOf("new")).error().code == ErrorCode::kConflict);
  CHECK(t.http.seen.size() == 2);
}

TEST_CASE("What cannot be replaced is not") {
  Vaulted t;
  CHECK(t.vault.Replace(kPinned, kV1, Secret::CopyOf("x")).error().code ==
        ErrorCode::kInvalidRequest);
  CHECK(t.http.seen.empty());
  t.http.Push(403, ErrorBody("Forbidden", "SecretDisabled"));
  CHECK(t.vault.Replace(kMail, kV1, Secret::CopyOf("x")).error().code == ErrorCode::kDenied);
  t.http.Push(404, ErrorBody("SecretNotFound"));
  t.http.Push(200, "{}");  // deleted, and can be recovered
  CHECK(t.vault.Replace(kMail, "0", Secret::CopyOf("x")).error().code == ErrorCode::kDenied);
  for (const std::string& value : {std::string("a\0b", 3), std::string("\x80"),
                                   std::string(vault::kMaxSecretValueBytes + 1, 'x')}) {
    t.PushBundle(Bundle("old", kV1, "mail-rt"));
    CHECK(t.vault.Replace(kMail, kV1, Secret::CopyOf(value)).error().code ==
          ErrorCode::kInvalidRequest);
  }
  for (const auto& seen : t.http.seen) CHECK(seen.method == "GET");
}

TEST_CASE("Whether purser may write is asked without a change; an old version is disabled") {
  Vaulted t;
  t.PushBundle(Bundle("s3cret", kV2));
  CHECK(t.vault.MayWrite(kApp, kV2).has_value());
  t.PushBundle(Bundle("s3cret", kV1));
  CHECK(t.vault.Disable(kApp, kV1).has_value());
  CHECK(t.http.seen[0].method == "PATCH");
  CHECK(t.http.seen[0].url == kUrl + "/secrets/app-secret/" + kV2 + "?api-version=7.4");
  CHECK(t.http.seen[0].body == R"({"attributes":{"enabled":true}})");
  CHECK(t.http.seen[1].url == kUrl + "/secrets/app-secret/" + kV1 + "?api-version=7.4");
  CHECK(t.http.seen[1].body == R"({"attributes":{"enabled":false}})");
}

TEST_CASE("A certificate's private part is replaced and disabled by way of the certificate") {
  const TestCertificate certificate = TestCertificate::Rsa();
  const std::string pem = certificate.KeyPem() + certificate.CertificatePem();
  json bundle = Bundle(pem, kV1, "app-cert");
  for (const bool managed : {true, false}) {
    CAPTURE(managed);
    bundle["managed"] = managed;
    Vaulted t;
    t.PushBundle(bundle);
    t.http.Push(200, json{{"id", kUrl + "/certificates/app-cert/" + kV2},
                          {"kid", kUrl + "/keys/app-cert/" + kV2},
                          {"cer", "MAA="},
                          {"attributes", {{"enabled", true}}},
                          // of a secret that somebody set
                          {"value", pem}}
                         .dump());
    const auto replaced = t.vault.Replace(kCert, kV1, Secret::CopyOf(pem));
    if (managed) CHECK(replaced.value() == kV2);
    const auto& sent = t.http.seen[1];
    CHECK(sent.url == kUrl + (managed ? "/certificates/app-cert/import" : "/secrets/app-cert") +
                          "?api-version=7.4");
    CHECK(json::parse(sent.body)["value"] == pem);
    CHECK(sent.body.find("application/x-pem-file") != std::string::npos);
    t.PushBundle(bundle);
    t.http.Push(200, "{}");
    CHECK(t.vault.Disable(kCert, kV1).has_value());
    CHECK(t.http.seen[3].method == "PATCH");
    CHECK(t.http.seen[3].url == kUrl + (managed ? "/certificates/" : "/secrets/") + "app-cert/" +
                                    kV1 + "?api-version=7.4");
  }
}

TEST_CASE("A version's expiry is written, but not a certificate's, which has its own") {
  const auto at = broker::Clock::Wall(std::chrono::seconds(1810000000));
  Vaulted t;
  t.PushBundle(Bundle("s3cret", kV1));
  CHECK(t.vault.Expire(kApp, kV1, at).has_value());
  CHECK(t.http.seen[0].method == "PATCH");
  CHECK(t.http.seen[0].url == kUrl + "/secrets/app-secret/" + kV1 + "?api-version=7.4");
  CHECK(t.http.seen[0].body == R"({"attributes":{"exp":1810000000}})");
  json bundle = Bundle("pem", kV1, "app-cert");
  bundle["managed"] = true;
  t.PushBundle(bundle);
  CHECK(t.vault.Expire(kCert, kV1, at).has_value());
  CHECK(t.http.seen.size() == 2);
  bundle["managed"] = false;
  for (int i = 0; i < 2; ++i) t.PushBundle(bundle);
  CHECK(t.vault.Expire(kCert, kV1, at).has_value());
  CHECK(t.http.seen.back().method == "PATCH");
  CHECK(t.vault.Expire(kPinned, kV1, at).error().code == ErrorCode::kInvalidRequest);
  CHECK(t.vault.Expire(kApp, "latest", at).error().code == ErrorCode::kInvalidRequest);
  t.http.Push(403, ErrorBody("Forbidden"));
  CHECK(t.vault.Expire(kApp, kV1, at).error().code == ErrorCode::kDenied);
}

TEST_CASE("Who may not write is told the role; what names no version is not sent") {
  Vaulted t;
  t.http.Push(403, ErrorBody("Forbidden"));
  const auto may = t.vault.MayWrite(kApp, kV1);
  REQUIRE_FALSE(may.has_value());
  CHECK(may.error().code == ErrorCode::kDenied);
  CHECK(may.error().detail.find("Key Vault Secrets Officer") != std::string::npos);
  for (const char* version : {"", "1", "../x"}) {
    CHECK(t.vault.Disable(kApp, version).error().code == ErrorCode::kInvalidRequest);
  }
  CHECK(t.vault.MayWrite(kPinned, kV1).error().code == ErrorCode::kInvalidRequest);
  CHECK(t.vault.MayWrite({"nobody", SecretKind::kClientSecret}, kV1).error().code ==
        ErrorCode::kNotFound);
  CHECK(t.http.seen.size() == 1);
}

TEST_CASE("A certificate's private part is PEM, whichever way the vault keeps it") {
  const TestCertificate certificate = TestCertificate::Rsa();
  const std::string pem = certificate.KeyPem() + certificate.CertificatePem();
  Vaulted t;
  json bundle = Bundle(pem, kV1, "app-cert");
  bundle["contentType"] = "application/x-pem-file";
  t.PushBundle(bundle);
  CHECK(TextOf(t.vault.Fetch(kCert)->value) == pem);

  bundle["value"] = TextOf(PKCS12_create("", nullptr, certificate.key.get(),
                                         certificate.certificate.get(), nullptr, 0, 0, 0, 0, 0));
  bundle["contentType"] = "application/x-pkcs12";
  t.PushBundle(bundle);
  const auto converted = t.vault.Fetch(kCert);
  REQUIRE(converted.has_value());
  CHECK(TextOf(converted->value) == pem);
}
