// POST /v1/credentials/{name}/rotate and GET …/rotation.
#include "test/sidecar/broker/admin_fixture.h"

using namespace admin_test;

namespace {

constexpr const char* kRotate = "/v1/credentials/client-secret/rotate";
constexpr const char* kShow = "/v1/credentials/client-secret/rotation";

struct RotateFixture : Fixture {
  RotateFixture() {
    entra.held.push_back({"key-old", "by hand", "old~secret", 0});
    REQUIRE(vault.store
                .Put({"client-secret", broker::SecretKind::kClientSecret},
                     Secret::CopyOf("old~secret"), 0)
                .has_value());
  }
};

}  // namespace

TEST_CASE("An operator begins a rotation, and an auditor may look; others may do neither") {
  RotateFixture f;
  CHECK(f.Ask(kStranger, "POST", kRotate, "{}").reason() == "role_missing");
  CHECK(f.Ask(kAuditor, "POST", kRotate, "{}").reason() == "role_missing");
  CHECK(f.Ask(kStranger, "GET", kShow).reason() == "role_missing");
  CHECK(f.Ask(kAuditor, "GET", kShow).reason() == "not_found");
  const auto begun = f.Ask(kOperator, "POST", kRotate, R"({"grace":60})");
  CHECK(begun.status == 200);
  CHECK(begun.body["step"] == "adding");
  CHECK(begun.body["old_key"] == "key-old");
  CHECK(f.Ask(kAuditor, "GET", kShow).body["credential"] == "client-secret");
  CHECK(f.Ask(kOperator, "POST", kRotate, "{}").reason() == "conflict");
  CHECK(f.Ask(kAuditor, "GET", "/v1/status").body["rotations"].size() == 1);
}

TEST_CASE("A credential that is revoked meanwhile goes no further, and is not rotated again") {
  RotateFixture f;
  f.entra.others_token = true;
  REQUIRE(f.Ask(kOperator, "POST", kRotate, "{}").status == 200);
  REQUIRE(f.Ask(kOperator, "POST", "/v1/revoke", R"({"credential":"client-secret"})").status ==
          200);
  f.rotations.Tick();
  const auto ended = f.Ask(kAuditor, "GET", kShow);
  CHECK(ended.body["step"] == "idle");
  CHECK(ended.body["failure"] == "the credential was revoked meanwhile");
  CHECK(f.Ask(kOperator, "POST", kRotate, "{}").reason() == "credential_revoked");
  CHECK(f.Ask(kOperator, "POST", kRotate, R"({"dry_run":true})").reason() == "credential_revoked");
}

TEST_CASE("A dry run begins nothing") {
  RotateFixture f;
  const auto would = f.Ask(kOperator, "POST", kRotate, R"({"dry_run":true})");
  CHECK(would.status == 200);
  CHECK(would.body["would"].size() == 4);
  CHECK(f.Ask(kOperator, "GET", kShow).reason() == "not_found");
}

TEST_CASE("What is asked wrongly is said, and nothing begins") {
  RotateFixture f;
  struct Row {
    const char* body;
    const char* reason;
  };
  for (const Row& row :
       {Row{R"({"grace":-1})", "value_out_of_range"},
        Row{R"({"grace":604801})", "value_out_of_range"}, Row{R"({"grace":"1h"})", "wrong_type"},
        Row{R"({"dry_run":"yes"})", "wrong_type"}, Row{R"({"key_id":7})", "value_out_of_range"},
        Row{R"({"object_id":"x"})", "value_out_of_range"},
        Row{R"({"client_secret":1})", "wrong_type"},
        Row{R"({"client_secret":true})", "value_out_of_range"},
        Row{R"({"now":true})", "unknown_field"}}) {
    CAPTURE(row.body);
    CHECK(f.Ask(kOperator, "POST", kRotate, row.body).reason() == row.reason);
  }
  CHECK(f.Ask(kOperator, "POST", "/v1/credentials/nobody/rotate", "{}").reason() == "not_found");
  CHECK(f.Ask(kOperator, "GET", kShow).reason() == "not_found");
}
