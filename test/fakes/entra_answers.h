#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "broker/base/base64.h"
#include "test/fakes/fake_clock.h"

/// What Entra would say, for tests that have no server.
namespace entra_answers {

inline constexpr const char* kTenant = "8f0c1a52-0000-4000-8000-00000000abcd";
inline constexpr const char* kClient = "11111111-0000-4000-8000-000000000001";
inline constexpr const char* kUser = "22222222-0000-4000-8000-000000000002";
inline constexpr const char* kGraph = "https://graph.microsoft.com";

inline int64_t NowUnix() {
  return std::chrono::duration_cast<std::chrono::seconds>(FakeClock().WallNow().time_since_epoch())
      .count();
}

/// Claims of a user's token for Mail.Read that lives an hour from FakeClock's start.
inline nlohmann::json UserClaims() {
  return {{"aud", kGraph},    {"tid", kTenant},         {"appid", kClient}, {"oid", kUser},
          {"idtyp", "user"},  {"scp", "Mail.Read"},     {"uti", "uti-1"},   {"nbf", NowUnix()},
          {"iat", NowUnix()}, {"exp", NowUnix() + 3600}};
}
inline nlohmann::json AppClaims() {
  nlohmann::json claims = UserClaims();
  claims.erase("scp");
  claims["idtyp"] = "app";
  claims["oid"] = "33333333-0000-4000-8000-000000000003";
  claims["roles"] = {"User.Read.All"};
  return claims;
}

inline std::string Jwt(const nlohmann::json& claims) {
  using broker::Base64UrlEncode;
  return Base64UrlEncode(R"({"typ":"JWT","alg":"RS256"})") + "." + Base64UrlEncode(claims.dump()) +
         "." + Base64UrlEncode("signature");
}

/// A 200 body of the token endpoint.
inline std::string TokenBody(const nlohmann::json& claims, const std::string& refresh_token = {},
                             const std::string& scope = {}) {
  nlohmann::json body = {
      {"token_type", "Bearer"}, {"expires_in", 3599}, {"access_token", Jwt(claims)}};
  if (!refresh_token.empty()) body["refresh_token"] = refresh_token;
  if (!scope.empty()) body["scope"] = scope;
  return body.dump();
}

/// A 4xx body as Entra writes it, prose included.
inline std::string ErrorBody(const std::string& error, int aadsts,
                             const std::string& suberror = {}) {
  nlohmann::json body = {
      {"error", error},
      {"error_description", "AADSTS" + std::to_string(aadsts) + ": prose about ada@contoso.com"},
      {"error_codes", {aadsts}},
      {"correlation_id", "44444444-0000-4000-8000-000000000004"}};
  if (!suberror.empty()) body["suberror"] = suberror;
  return body.dump();
}

}  // namespace entra_answers
