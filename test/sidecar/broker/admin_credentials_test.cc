#include "sidecar/broker/kept_uses.h"
#include "test/fakes/test_certificate.h"
#include "test/sidecar/broker/admin_fixture.h"

namespace {

using namespace admin_test;

struct Credentials : Fixture {
  json Shown(const std::string& name) {
    const json listed = Ask(kAuditor, "GET", "/v1/credentials").body["credentials"];
    for (const json& credential : listed) {
      if (credential["name"] == name) return credential;
    }
    return nullptr;
  }
  Reply Set(const std::string& name, std::string_view secret, const json& members) {
    json body = json::parse(Sealed(secret));
    body.update(members);
    return Ask(kOperator, "PUT", "/v1/credentials/" + name + "/secret", body.dump());
  }
};

TEST_CASE_FIXTURE(Credentials, "A credential shows where it is, for whom, and what is not known") {
  auto config = ThreeCredentials();
  config.agents["helpdesk"].name = "helpdesk";
  config.agents["helpdesk"].rules.push_back(
      {.name = "read", .scopes = {"Mail.Read"}, .credential = "client-secret"});
  config.credentials["obo"] = {.name = "obo", .kind = "on-behalf-of", .proof = "client-secret"};
  config.credentials["vaulted"] = {
      .name = "vaulted", .kind = "certificate", .vault = "corp", .secret = "admin-cert"};
  config.credentials["machine"] = {.name = "machine", .kind = "managed-identity", .source = "imds"};
  config.vaults["corp"].auth = "credential:client-secret";
  broker.SetConfig(std::make_shared<const broker::policy::Config>(config));

  const json secret = Shown("client-secret");
  CHECK(secret["lives"] == json{{"in", "store"}});
  CHECK(secret["ends"] == json::parse(R"([{"what":"client-secret","by":"unknown"}])"));
  CHECK(secret["last_use"].is_null());
  CHECK(secret["outstanding"] == json{{"tokens", 0}});
  CHECK(secret["used_by"] == json::parse(R"([
      {"agent":"helpdesk","rule":"read","scopes":["Mail.Read"]},
      {"credential":"obo"},{"vault":"corp"}])"));
  CHECK(Shown("certificate")["used_by"].empty());
  CHECK(Shown("obo")["lives"] ==
        json::parse(R"({"in":"credential","credential":"client-secret"})"));
  CHECK(Shown("vaulted")["lives"] ==
        json::parse(R"({"in":"vault","vault":"corp","name":"admin-cert"})"));
  CHECK(Shown("machine")["lives"] == json::parse(R"({"in":"metadata-service","source":"imds"})"));
  CHECK(Shown("machine")["ends"].empty());

  uses.Refused("client-secret", broker::Reason::kCredentialRejected);
  CHECK(Shown("client-secret")["last_use"]["result"] == "credential_rejected");
}

TEST_CASE_FIXTURE(Credentials, "A stated end is kept with the secret and warned of") {
  const auto stored = Set("client-secret", "s3cret", {{"expires", "2026-11-23"}});
  CHECK(stored.status == 200);
  CHECK(stored.body["end"]["days_left"] == 4);
  CHECK(done.back().starts_with("keep:{\"client-secret\""));
  CHECK(Shown("client-secret")["ends"][0]["by"] == "operator");
  const json ending = Ask(kAuditor, "GET", "/v1/status").body["ending"];
  REQUIRE(ending.size() == 1);
  CHECK(ending[0]["level"] == "urgent");
  // The next secret is another one, of which nothing was said.
  CHECK(Set("client-secret", "another", json::object()).status == 200);
  CHECK(Shown("client-secret")["ends"][0]["by"] == "unknown");
  CHECK(Ask(kAuditor, "GET", "/v1/status").body["ending"].empty());
}

TEST_CASE_FIXTURE(Credentials,
                  "An end that cannot be meant is refused before the secret is stored") {
  const TestCertificate made = TestCertificate::Rsa();
  const std::string pem = made.KeyPem() + made.CertificatePem();
  const struct {
    const char* what;
    const char* name;
    std::string secret;
    json expires;
    const char* reason;
  } rows[] = {
      {"no day", "client-secret", "s", "next year", "value_out_of_range"},
      {"a day that has come", "client-secret", "s", "2026-11-18", "value_out_of_range"},
      {"a number", "client-secret", "s", 1826668800, "wrong_type"},
      {"of a certificate", "certificate", pem, "2027-05-31", "value_out_of_range"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.what);
    CHECK(Set(row.name, row.secret, {{"expires", row.expires}}).reason() == row.reason);
    CHECK(Shown(row.name)["secrets"][0]["enrolled"] == false);
  }
}

TEST_CASE_FIXTURE(Credentials, "A certificate says itself when it ends") {
  const TestCertificate made = TestCertificate::Rsa();  // good for an hour of the real time
  REQUIRE(Set("certificate", made.KeyPem() + made.CertificatePem(), json::object()).status == 200);
  const json end = Shown("certificate")["ends"][0];
  CHECK(end["by"] == "certificate");
  const auto real = std::chrono::duration_cast<std::chrono::seconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
  CHECK(end["on"].get<int64_t>() > real + 3000);
  CHECK(end["on"].get<int64_t>() <= real + 3600);
}

TEST_CASE("What is known over restarts is stored once for each change") {
  FakeMintPorts before;
  auto& store = before.vault.store;
  KeptUses kept(store, before.uses);
  CHECK_FALSE(kept.Keep().has_value());  // the store may be sealed
  REQUIRE(kept.Load().has_value());
  REQUIRE(kept.Keep().has_value());
  CHECK(store.List()->empty());  // there was nothing to keep
  before.uses.Minted("mail", "1");
  for (int i = 0; i < 3; ++i) REQUIRE(kept.Keep().has_value());
  REQUIRE(store.List()->size() == 1);
  CHECK(store.List()->front().version == 1);

  broker::CredentialUses uses(before.clock);
  KeptUses after(store, uses);
  REQUIRE(after.Load().has_value());
  CHECK(uses.Of("mail").minted.has_value());
  REQUIRE(after.Keep().has_value());
  CHECK(store.List()->front().version == 1);
}

}  // namespace
