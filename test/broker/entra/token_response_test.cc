#include "broker/entra/token_response.h"

#include <doctest/doctest.h>

#include "broker/entra/device_code.h"
#include "broker/entra/discovery.h"
#include "broker/entra/scope_list.h"
#include "test/fakes/entra_answers.h"

using broker::ErrorCode;
using broker::Exit;
using broker::Secret;
using broker::entra::ReadTokenResponse;
using std::chrono::seconds;

namespace {
auto Read(const std::string& body) {
  return ReadTokenResponse(Secret::CopyOf(body), "https://graph.microsoft.com");
}
}  // namespace

TEST_CASE("A token response is read whole") {
  const auto got = Read(
      R"({"token_type":"bearer","scope":"openid https://graph.microsoft.com/Mail.Read )"
      R"(HTTPS://Graph.Microsoft.com/.default https://other.example/Mail.Read User.Read","expires_in":3599,)"
      R"("ext_expires_in":3599,"refresh_in":1799,"access_token":"at","refresh_token":"rt",)"
      R"("id_token":"personal","foci":"1"})");
  REQUIRE(got.has_value());
  CHECK(got->access_token.Expose(Exit::kTest) == "at");
  CHECK(got->refresh_token.Expose(Exit::kTest) == "rt");
  CHECK(got->expires_in == seconds(3599));
  CHECK(got->refresh_in == seconds(1799));
  CHECK(got->granted ==
        std::vector<std::string>{"Mail.Read", "User.Read", "https://other.example/Mail.Read"});
}

TEST_CASE("What may be absent may be absent, and no refresh lies beyond the end") {
  const auto got =
      Read(R"({"token_type":"Bearer","expires_in":60,"refresh_in":600,"access_token":"at"})");
  REQUIRE(got.has_value());
  CHECK(got->refresh_token.empty());
  CHECK(got->granted.empty());
  CHECK(got->refresh_in == seconds(60));
  CHECK_FALSE(Read(R"({"token_type":"Bearer","expires_in":60,"access_token":"at"})")->refresh_in);
}

TEST_CASE("What is not a token response is refused without being quoted") {
  const char* rows[] = {
      "",
      "null",
      "[]",
      "{}",
      "<html>hunter2</html>",
      R"({"token_type":"Bearer","expires_in":60})",
      R"({"token_type":"Bearer","expires_in":60,"access_token":""})",
      R"({"token_type":"Bearer","expires_in":60,"access_token":1})",
      R"({"token_type":"Bearer","expires_in":60,"access_token":"hunter2","access_token":"b"})",
      R"({"token_type":"Bearer","expires_in":60,"access_token":"hunter2","refresh_token":""})",
      R"({"token_type":"Bearer","expires_in":60,"access_token":"hunter2","refresh_token":null})",
      R"({"expires_in":60,"access_token":"hunter2"})",
      R"({"token_type":"pop","expires_in":60,"access_token":"hunter2"})",
      R"({"token_type":"Bearer","access_token":"hunter2"})",
      R"({"token_type":"Bearer","expires_in":"60","access_token":"hunter2"})",
      R"({"token_type":"Bearer","expires_in":0,"access_token":"hunter2"})",
      R"({"token_type":"Bearer","expires_in":-1,"access_token":"hunter2"})",
      R"({"token_type":"Bearer","expires_in":1e3,"access_token":"hunter2"})",
      R"({"token_type":"Bearer","expires_in":9223372036854775807,"access_token":"hunter2"})",
      R"({"token_type":"Bearer","expires_in":18446744073709551615,"access_token":"hunter2"})",
      R"({"token_type":"Bearer","expires_in":60,"refresh_in":"1","access_token":"hunter2"})",
      R"({"token_type":"Bearer","expires_in":60,"scope":["a"],"access_token":"hunter2"})",
  };
  for (const char* body : rows) {
    CAPTURE(body);
    const auto got = Read(body);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().code == ErrorCode::kCorrupt);
    CHECK(got.error().detail.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("A device code answer is read, and what a person is shown is checked") {
  using broker::entra::ReadDeviceCode;
  const auto read = [](const std::string& body) { return ReadDeviceCode(Secret::CopyOf(body)); };
  // The example of RFC 8628 §3.2, with a secret of ours.
  const auto got = read(
      R"({"device_code":"GmRh","user_code":"WDJB-MJHT","verification_uri":"https://example.com/device",)"
      R"("verification_uri_complete":"https://example.com/device?user_code=WDJB-MJHT","expires_in":1800,"interval":5})");
  REQUIRE(got.has_value());
  CHECK(got->device_code.Expose(Exit::kTest) == "GmRh");
  CHECK(got->user_code == "WDJB-MJHT");
  CHECK(got->expires_in == seconds(1800));
  CHECK(
      read(R"({"device_code":"d","user_code":"u","verification_uri":"https://x.y","expires_in":9})")
          ->interval == seconds(5));
  const char* bad[] = {
      "{}",
      R"({"user_code":"u","verification_uri":"https://x.y","expires_in":9})",
      R"({"device_code":"","user_code":"u","verification_uri":"https://x.y","expires_in":9})",
      R"({"device_code":"d","user_code":"u\u001b[2J","verification_uri":"https://x.y","expires_in":9})",
      R"({"device_code":"d","user_code":"a b","verification_uri":"https://x.y","expires_in":9})",
      R"({"device_code":"d","user_code":"u","verification_uri":"http://x.y","expires_in":9})",
      R"({"device_code":"d","user_code":"u","verification_uri":"javascript:x","expires_in":9})",
      R"({"device_code":"d","user_code":"u","verification_uri":"https://x.y"})",
      R"({"device_code":"d","user_code":"u","verification_uri":"https://x.y","expires_in":0})",
      R"({"device_code":"d","user_code":"u","verification_uri":"https://x.y","expires_in":9,"interval":0})",
      R"({"device_code":"d","user_code":"u","verification_uri":"https://x.y","expires_in":9,"interval":"5"})",
  };
  for (const char* body : bad) {
    CAPTURE(body);
    CHECK_FALSE(read(body).has_value());
  }
}

TEST_CASE("A discovery document names one tenant or none") {
  using broker::entra::ReadTenantGuid;
  const auto read = [](const std::string& issuer) {
    return ReadTenantGuid(Secret::CopyOf(R"({"issuer":")" + issuer + R"("})"));
  };
  CHECK(read(std::string("https://login.microsoftonline.com/") + entra_answers::kTenant + "/v2.0")
            .value() == entra_answers::kTenant);
  for (const char* issuer :
       {"", "https://login.microsoftonline.com/common/v2.0",
        "https://login.microsoftonline.com/{tenantid}/v2.0",
        "https://login.microsoftonline.com/8f0c1a52-0000-4000-8000-00000000abcd/",
        "http://login.microsoftonline.com/8f0c1a52-0000-4000-8000-00000000abcd/v2.0",
        "https://login.microsoftonline.com/8f0c1a52-0000-4000-8000-00000000abc/v2.0"}) {
    CAPTURE(issuer);
    CHECK_FALSE(read(issuer).has_value());
  }
  CHECK_FALSE(ReadTenantGuid(Secret::CopyOf("[]")).has_value());
}
