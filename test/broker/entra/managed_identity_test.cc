#include "broker/entra/managed_identity.h"

#include <doctest/doctest.h>

#include "test/fakes/entra_answers.h"
#include "test/fakes/fake_http.h"

using broker::ErrorCode, broker::Exit, broker::Secret;
using broker::entra::ErrorClass, broker::entra::ManagedIdentityAsk;
using std::chrono::seconds;

namespace {

constexpr const char* kImds = "http://169.254.169.254/metadata/identity/oauth2/token";
constexpr const char* kFolder = "/var/opt/azcmagent/tokens";

bool HasHeader(const broker::HttpRequest& request, const std::string& name,
               const std::string& value) {
  return std::ranges::find(request.headers, std::pair(name, value)) != request.headers.end();
}

std::string SecretHeader(const broker::HttpRequest& request) {
  REQUIRE(request.secret_headers.size() == 1);
  const auto& [name, value] = request.secret_headers.front();
  return name + ": " + std::string(value.Expose(Exit::kTest));
}

broker::Result<broker::entra::TokenResponse> Read(const std::string& body) {
  return broker::entra::ReadManagedIdentityToken(Secret::CopyOf(body), FakeClock().WallNow());
}

}  // namespace

TEST_CASE("Each endpoint is asked in its own words") {
  const ManagedIdentityAsk system{kImds, "https://graph.microsoft.com", {}};
  const auto imds = broker::entra::ImdsRequest(system);
  CHECK(imds.method == "GET");
  CHECK(imds.url ==
        std::string(kImds) + "?api-version=2018-02-01&resource=https%3A%2F%2Fgraph.microsoft.com");
  CHECK(HasHeader(imds, "Metadata", "true"));
  CHECK(imds.secret_headers.empty());
  CHECK(imds.content_type.empty());

  const ManagedIdentityAsk user{"http://127.0.0.1:41741/msi/token",
                                "https://vault.azure.net",
                                {"mi_res_id", "/subscriptions/s/x y"}};
  const auto app = broker::entra::AppServiceRequest(user, Secret::CopyOf("header-value"));
  CHECK(app.url ==
        "http://127.0.0.1:41741/msi/token?api-version=2019-08-01&resource=https%3A%2F%2F"
        "vault.azure.net&mi_res_id=%2Fsubscriptions%2Fs%2Fx%20y");
  CHECK(SecretHeader(app) == "X-IDENTITY-HEADER: header-value");
  CHECK_FALSE(HasHeader(app, "Metadata", "true"));

  const auto first = broker::entra::ArcRequest(system, nullptr);
  CHECK(first.url.ends_with("?api-version=2020-06-01&resource=https%3A%2F%2Fgraph.microsoft.com"));
  CHECK(HasHeader(first, "Metadata", "true"));
  CHECK(first.secret_headers.empty());
  const Secret key = Secret::CopyOf("arc-key");
  CHECK(SecretHeader(broker::entra::ArcRequest(system, &key)) == "Authorization: Basic arc-key");
}

TEST_CASE("Of all that an Arc challenge may name, only a key in the configured folder is read") {
  const auto path = [](const std::string& challenge, const char* folder = kFolder) {
    return broker::entra::ArcKeyPath(challenge, folder);
  };
  const std::string good = std::string(kFolder) + "/0198c0de-aa.key";
  CHECK(path("Basic realm=" + good).value() == good);
  CHECK(path("Basic realm=\"" + good + "\"").value() == good);
  const std::string rows[] = {
      "",
      "Basic",
      "Basic realm=",
      "Bearer realm=" + good,
      "Basic realm=/etc/shadow",
      "Basic realm=/etc/x.key",
      "Basic realm=" + std::string(kFolder),
      "Basic realm=" + std::string(kFolder) + "/",
      "Basic realm=" + std::string(kFolder) + "/.key",
      "Basic realm=" + std::string(kFolder) + "/token.txt",
      "Basic realm=" + std::string(kFolder) + "/token.key.bak",
      "Basic realm=" + std::string(kFolder) + "/sub/token.key",
      "Basic realm=" + std::string(kFolder) + "/../../../../etc/x.key",
      "Basic realm=" + std::string(kFolder) + "x/token.key",
      "Basic realm=" + std::string(kFolder) + "/a b.key",
      "Basic realm=" + std::string(kFolder) + "/a\nb.key",
      "Basic realm=" + std::string(kFolder) + "/" + std::string(300, 'a') + ".key",
      "Basic realm=\"" + good,
      "Basic realm=" + good + ", Basic realm=/etc/x.key",
  };
  for (const std::string& challenge : rows) {
    CAPTURE(challenge);
    const auto got = path(challenge);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().code == ErrorCode::kCorrupt);
    CHECK(got.error().detail.find("etc") == std::string::npos);
  }
  CHECK_FALSE(path("Basic realm=/x.key", "").has_value());
}

TEST_CASE("A token's life is read however the endpoint writes it") {
  const std::string at = std::to_string(entra_answers::NowUnix() + 600);
  const std::pair<std::string, int> rows[] = {
      {R"({"access_token":"t","expires_in":"3599","token_type":"Bearer"})", 3599},
      {R"({"access_token":"t","expires_in":3599})", 3599},
      {R"({"access_token":"t","expires_on":")" + at + "\"}", 600},
      {R"({"access_token":"t","expires_on":)" + at + "}", 600},
      {R"({"access_token":"t","expires_in":"86399","expires_on":")" + at + "\"}", 86399},
  };
  for (const auto& [body, life] : rows) {
    CAPTURE(body);
    const auto got = Read(body);
    REQUIRE(got.has_value());
    CHECK(got->access_token.Expose(Exit::kTest) == "t");
    CHECK(got->expires_in == seconds(life));
    CHECK(got->refresh_token.empty());
    CHECK(got->granted.empty());
  }
}

TEST_CASE("What is no token is refused, and nothing of it is quoted") {
  const std::string past = std::to_string(entra_answers::NowUnix() - 1);
  const std::string rows[] = {
      "",
      "<html>canary",
      "[]",
      R"({"expires_in":"3599"})",
      R"({"access_token":"","expires_in":"3599"})",
      R"({"access_token":7,"expires_in":"3599"})",
      R"({"access_token":"canary"})",
      R"({"access_token":"canary","expires_in":"0"})",
      R"({"access_token":"canary","expires_in":"-5"})",
      R"({"access_token":"canary","expires_in":"1h"})",
      R"({"access_token":"canary","expires_in":"999999999"})",
      R"({"access_token":"canary","expires_on":"2026-01-01T00:00:00Z"})",
      R"({"access_token":"canary","expires_on":"-9223372036854775808"})",
      R"({"access_token":"canary","expires_on":")" + past + "\"}",
      R"({"access_token":"canary","access_token":"b","expires_in":"3599"})",
      R"({"access_token":")" + std::string(17 << 10, 'x') + R"(","expires_in":"3599"})",
  };
  for (const std::string& body : rows) {
    CAPTURE(body.substr(0, 80));
    const auto got = Read(body);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().code == ErrorCode::kCorrupt);
    CHECK(got.error().detail.find("canary") == std::string::npos);
  }
}

TEST_CASE("An endpoint's status says whether to wait, to ask again, or to mend something") {
  struct Row {
    int status;
    std::optional<seconds> said;
    ErrorClass want;
    std::optional<seconds> wait;
  };
  const Row rows[] = {
      {404, {}, ErrorClass::kTransient, {}},
      {408, {}, ErrorClass::kTransient, {}},
      {410, {}, ErrorClass::kThrottled, seconds(70)},
      {429, {}, ErrorClass::kThrottled, seconds(5)},
      {429, seconds(30), ErrorClass::kThrottled, seconds(30)},
      {429, seconds(999999), ErrorClass::kThrottled, broker::entra::kMaxRetryAfter},
      {500, {}, ErrorClass::kTransient, {}},
      {503, seconds(3), ErrorClass::kTransient, seconds(3)},
      {400, {}, ErrorClass::kPrincipal, {}},
      {401, {}, ErrorClass::kCredential, {}},
      {403, {}, ErrorClass::kCredential, {}},
      {302, {}, ErrorClass::kBadRequest, {}},
      {405, {}, ErrorClass::kBadRequest, {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.status);
    auto response = FakeHttp::Answer(row.status, R"({"error_description":"prose canary"})");
    response.retry_after = row.said;
    const auto error = broker::entra::ReadManagedIdentityError(response);
    CHECK(error.error_class == row.want);
    CHECK(error.retry_after == row.wait);
    CHECK(error.detail == "the managed identity endpoint answered " + std::to_string(row.status));
  }
}
