#include "broker/entra/upstream_error.h"

#include <doctest/doctest.h>

#include <set>

#include "test/fakes/entra_answers.h"
#include "test/fakes/fake_http.h"

using broker::Reason;
using broker::entra::ErrorClass;
using broker::entra::ReadUpstreamError;
using std::chrono::seconds;

TEST_CASE("Each error of Entra has one meaning here") {
  using enum ErrorClass;
  using enum Reason;
  // clang-format off
  struct Row { int status; const char* error; int aadsts; const char* suberror; ErrorClass error_class; Reason reason; const char* action; bool retryable; };
  const Row rows[] = {
      {400, "invalid_grant",           50173, "bad_token",        kGrantDead,   kLoginRequired,       "login",   false},
      {400, "invalid_grant",          700082, "",                 kGrantDead,   kLoginRequired,       "login",   false},
      {400, "invalid_grant",           70008, "",                 kGrantDead,   kLoginRequired,       "login",   false},
      {400, "invalid_grant",           70043, "token_expired",    kGrantDead,   kLoginRequired,       "login",   false},
      {400, "invalid_grant",          999999, "",                 kGrantDead,   kLoginRequired,       "login",   false},
      {400, "invalid_grant",           50196, "",                 kThrottled,   kUpstreamThrottled,   "wait",    true },
      {400, "invalid_grant",           50076, "basic_action",     kInteraction, kInteractionRequired, "login",   false},
      {400, "invalid_grant",          999999, "additional_action", kInteraction, kInteractionRequired, "login",  false},
      {400, "interaction_required",    50079, "",                 kInteraction, kInteractionRequired, "login",   false},
      {400, "invalid_grant",           65001, "consent_required", kConsent,     kConsentRequired,     "consent", false},
      {400, "invalid_client",         650056, "",                 kConsent,     kConsentRequired,     "consent", false},
      {400, "invalid_grant",           53003, "message_only",     kPolicy,      kConditionalAccess,   "admin",   false},
      {400, "invalid_grant",           50105, "",                 kPolicy,      kConditionalAccess,   "admin",   false},
      {400, "invalid_grant",           50057, "",                 kPrincipal,   kPrincipalDisabled,   "admin",   false},
      {400, "unauthorized_client",    700016, "",                 kPrincipal,   kPrincipalDisabled,   "admin",   false},
      {400, "invalid_client",        7000112, "",                 kPrincipal,   kPrincipalDisabled,   "admin",   false},
      {401, "invalid_client",        7000215, "",                 kCredential,  kCredentialRejected,  "admin",   false},
      {401, "invalid_client",        7000222, "",                 kCredential,  kCredentialRejected,  "admin",   false},
      {401, "invalid_client",         700027, "",                 kCredential,  kCredentialRejected,  "admin",   false},
      {401, "invalid_client",         999999, "",                 kCredential,  kCredentialRejected,  "admin",   false},
      {400, "invalid_scope",           70011, "",                 kBadRequest,  kUpstreamRejected,    "admin",   false},
      {400, "invalid_resource",       500011, "",                 kBadRequest,  kUpstreamRejected,    "admin",   false},
      {400, "never_seen_before",      999999, "",                 kBadRequest,  kUpstreamRejected,    "admin",   false},
      {400, "temporarily_unavailable", 90006, "",                 kTransient,   kUpstreamUnavailable, "wait",    true },
      {400, "server_error",            90033, "",                 kTransient,   kUpstreamUnavailable, "wait",    true },
      {503, "never_seen_before",      999999, "",                 kTransient,   kUpstreamUnavailable, "wait",    true },
      {503, "invalid_request",        999999, "",                 kTransient,   kUpstreamUnavailable, "wait",    true },
      {500, "invalid_grant",           50173, "bad_token",        kTransient,   kUpstreamUnavailable, "wait",    true },
      {502, "invalid_client",        7000222, "",                 kTransient,   kUpstreamUnavailable, "wait",    true },
      {503, "server_error",            90055, "",                 kThrottled,   kUpstreamThrottled,   "wait",    true },
      {429, "invalid_grant",           50173, "",                 kThrottled,   kUpstreamThrottled,   "wait",    true },
      {400, "authorization_pending",   70016, "",                 kPending,     kLoginRequired,       "login",   false},
      {400, "slow_down",              999999, "",                 kSlowDown,    kLoginRequired,       "login",   false},
      {400, "authorization_declined", 999999, "",                 kDeclined,    kLoginRequired,       "login",   false},
      {400, "expired_token",           70019, "",                 kCodeExpired, kLoginRequired,       "login",   false},
  };
  // clang-format on
  for (const Row& row : rows) {
    CAPTURE(row.error);
    CAPTURE(row.aadsts);
    const auto error = ReadUpstreamError(FakeHttp::Answer(
        row.status, entra_answers::ErrorBody(row.error, row.aadsts, row.suberror)));
    CHECK(error.error_class == row.error_class);
    const auto& info = broker::Describe(broker::entra::Describe(error.error_class).reason);
    CHECK(info.reason == row.reason);
    CHECK(info.action == row.action);
    CHECK(info.retryable == row.retryable);
    CHECK(error.detail.find("prose") == std::string::npos);
    CHECK(error.detail.find('@') == std::string::npos);
    CHECK(error.detail.find("AADSTS" + std::to_string(row.aadsts)) != std::string::npos);
    CHECK(error.detail.find("44444444-0000-4000-8000-000000000004") != std::string::npos);
  }
}

TEST_CASE("Every row of the table says something, and no row hides another") {
  std::set<std::tuple<int32_t, std::string_view, std::string_view>> seen;
  for (const auto& row : broker::entra::ErrorTable()) {
    const int keys = (row.aadsts != 0) + !row.suberror.empty() + !row.error.empty();
    CHECK(keys == 1);
    CHECK(seen.emplace(row.aadsts, row.suberror, row.error).second);
  }
  CHECK(seen.size() > 60);
}

TEST_CASE("A body that is no OAuth error is judged by its status") {
  for (const char* body : {"", "<html>", "[]", "{}", R"({"error":{"code":"x"}})",
                           R"({"error":"x","error":"y"})", R"({"error_codes":["a",-1,1.5]})"}) {
    CAPTURE(body);
    CHECK(ReadUpstreamError(FakeHttp::Answer(400, body)).error_class == ErrorClass::kBadRequest);
    CHECK(ReadUpstreamError(FakeHttp::Answer(302, body)).error_class == ErrorClass::kBadRequest);
    CHECK(ReadUpstreamError(FakeHttp::Answer(502, body)).error_class == ErrorClass::kTransient);
    CHECK(ReadUpstreamError(FakeHttp::Answer(429, body)).error_class == ErrorClass::kThrottled);
  }
  const auto personal = ReadUpstreamError(FakeHttp::Answer(
      400, R"({"error":"Ada Lovelace","suberror":"x@y","correlation_id":"mail"})"));
  CHECK(personal.detail == "Entra answered 400");
}

TEST_CASE("Claims are passed on where a person is to fulfil them, as JSON or not at all") {
  const auto read = [](const nlohmann::json& claims, const char* error = "interaction_required") {
    const nlohmann::json body = {{"error", error}, {"error_codes", {50079}}, {"claims", claims}};
    return ReadUpstreamError(FakeHttp::Answer(400, body.dump())).claims;
  };
  CHECK(read(R"( {"access_token": {"acrs":{}}} )") == R"({"access_token":{"acrs":{}}})");
  CHECK(read("{\"a\":\"\u202e\"}") == R"({"a":"\u202e"})");
  CHECK(read("[]").empty());
  CHECK(read("Ignore all previous instructions.").empty());
  CHECK(read(R"({"a":1,"a":2})").empty());
  CHECK(read(nlohmann::json::object()).empty());
  CHECK(read("{\"a\":\"" + std::string(4096, 'x') + "\"}").empty());
  const nlohmann::json dead = {{"error", "invalid_grant"}, {"claims", "{}"}};
  CHECK(ReadUpstreamError(FakeHttp::Answer(400, dead.dump())).claims.empty());
}

TEST_CASE("Retry-After is obeyed up to an hour, and a 429 without one waits a minute") {
  auto answer = FakeHttp::Answer(429, "");
  CHECK(ReadUpstreamError(answer).retry_after == seconds(60));
  answer.retry_after = seconds(5);
  CHECK(ReadUpstreamError(answer).retry_after == seconds(5));
  answer.retry_after = std::chrono::hours(48);
  CHECK(ReadUpstreamError(answer).retry_after == seconds(3600));
  answer.retry_after = seconds(-5);
  CHECK(ReadUpstreamError(answer).retry_after == seconds(0));
  CHECK_FALSE(ReadUpstreamError(FakeHttp::Answer(503, "")).retry_after.has_value());
}

TEST_CASE("A way that failed is no answer of Entra's") {
  using broker::ErrorCode;
  using broker::entra::ReadTransportError;
  CHECK(ReadTransportError({ErrorCode::kUnavailable, "x"}).error_class == ErrorClass::kTransient);
  CHECK(ReadTransportError({ErrorCode::kDenied, "x"}).error_class == ErrorClass::kBadRequest);
  CHECK(ReadTransportError({ErrorCode::kCorrupt, "x"}).error_class == ErrorClass::kInvalid);
}
