#include "test/devtenant/access_token.h"

#include "test/devtenant/encoding.h"
#include "test/devtenant/entra_error.h"
#include "test/devtenant/groups.h"
#include "test/devtenant/jwt.h"

namespace devtenant {
namespace {

constexpr int64_t kBackdatedSeconds = 300;         // Entra's iat and nbf lie five minutes back
constexpr uint64_t kLongLivedSeconds = 26 * 3600;  // with continuous access evaluation: 20 to 28 h
constexpr uint64_t kShortestSeconds = 3600;
constexpr uint64_t kSpreadSeconds = 1800;

bool AsksForContinuousEvaluation(const std::string& claims) {
  if (claims.empty()) return false;
  const auto parsed = nlohmann::json::parse(claims, nullptr, false);
  if (!parsed.is_object()) throw EntraError{.code = 9002313};
  const nlohmann::json::json_pointer values("/access_token/xms_cc/values");
  return parsed.contains(values) && parsed.at(values) == nlohmann::json::array({"cp1"});
}

uint64_t Lifetime(const Tenant& tenant, bool long_lived) {
  if (tenant.settings.access_token_lifetime_s != 0) return tenant.settings.access_token_lifetime_s;
  if (long_lived) return kLongLivedSeconds;
  const std::string random = RandomBytes(2);
  const auto value = static_cast<uint64_t>(static_cast<unsigned char>(random[0])) * 256 +
                     static_cast<unsigned char>(random[1]);
  return kShortestSeconds + value % kSpreadSeconds;
}

std::string Joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// What says that an agent identity acts, and for which blueprint.
void AddAgent(nlohmann::json& claims, const Registration& registration) {
  if (registration.blueprint.empty()) return;
  claims["xms_act_fct"] = "11";
  claims["xms_par_app_azp"] = registration.blueprint;
}

void AddSubject(nlohmann::json& claims, const MintOrder& order, const Tenant& tenant) {
  if (order.user == nullptr) {
    const std::string principal = order.client.registration->client_id;
    claims["idtyp"] = "app";
    claims["oid"] = principal;
    claims["sub"] = principal;
    AddAgent(claims, *order.client.registration);
    if (!order.permissions.empty()) claims["roles"] = order.permissions;
    return;
  }
  claims["idtyp"] = "user";
  claims["oid"] = order.user->oid;
  claims["sub"] = ToBase64Url(Sha256(order.user->oid + order.client.registration->client_id));
  claims["name"] = order.user->name;
  claims["upn"] = order.user->upn;
  claims["unique_name"] = order.user->upn;
  claims["tenant_region_scope"] = "EU";
  claims["scp"] = Joined(order.permissions) + " profile openid email";
  AddAgent(claims, *order.client.registration);
  claims["idp"] = "https://sts.windows.net/" + tenant.directory.tenant_id + "/";
}

}  // namespace

nlohmann::json MintAccessToken(Tenant& tenant, const MintOrder& order, const Fault& fault) {
  const bool continuous = AsksForContinuousEvaluation(order.claims);
  const uint64_t lifetime = Lifetime(tenant, continuous);
  const int64_t now = tenant.Now();
  const Registration& registration = *order.client.registration;
  nlohmann::json claims = {{"aud", order.audience},
                           {"iss", "https://sts.windows.net/" + tenant.directory.tenant_id + "/"},
                           {"iat", now - kBackdatedSeconds},
                           {"nbf", now - kBackdatedSeconds},
                           {"exp", now + static_cast<int64_t>(lifetime)},
                           {"tid", tenant.directory.tenant_id},
                           {"appid", registration.client_id},
                           {"appidacr", order.client.appidacr},
                           {"app_displayname", registration.name},
                           {"uti", ToBase64Url(RandomBytes(16))},
                           {"ver", "1.0"}};
  AddSubject(claims, order, tenant);
  if (continuous) claims["xms_cc"] = {"cp1"};
  claims.merge_patch(fault.claims);
  const std::string token = SignRs256(
      tenant.signing.key, {{"kid", tenant.signing_key_id}, {"x5t", tenant.signing_key_id}}, claims);
  tenant.recorder.Secret("access_token", "issued", "token", token);
  nlohmann::json answer = {{"token_type", "Bearer"},
                           {"access_token", token},
                           {"expires_in", lifetime - 1},
                           {"ext_expires_in", lifetime - 1}};
  const uint64_t refresh_in = tenant.settings.refresh_in_s != 0 ? tenant.settings.refresh_in_s
                              : continuous                      ? lifetime / 2
                                                                : 0;
  if (refresh_in != 0) answer["refresh_in"] = refresh_in;
  return answer;
}

namespace {

// More are left out of a JWT, and a link to Graph is in their place.
constexpr size_t kMaxGroupsInToken = 200;

void AddGroups(const User& user, nlohmann::json& claims) {
  const std::set<std::string>& groups = GroupsOf(user.oid);
  if (groups.size() <= kMaxGroupsInToken) {
    if (!groups.empty()) claims["groups"] = groups;
    return;
  }
  claims["_claim_names"] = {{"groups", "src1"}};
  claims["_claim_sources"] = {
      {"src1",
       {{"endpoint", "https://graph.windows.net/" + claims["tid"].get<std::string>() + "/users/" +
                         user.oid + "/getMemberObjects"}}}};
}

}  // namespace

std::string MintIdToken(Tenant& tenant, const Registration& registration, const User& user,
                        const std::string& nonce) {
  const int64_t now = tenant.Now();
  nlohmann::json claims = {{"aud", registration.client_id},
                           {"iss", tenant.authority + "/" + tenant.directory.tenant_id + "/v2.0"},
                           {"iat", now},
                           {"nbf", now},
                           {"exp", now + static_cast<int64_t>(kShortestSeconds)},
                           {"name", user.name},
                           {"oid", user.oid},
                           {"preferred_username", user.upn},
                           {"sub", ToBase64Url(Sha256(user.oid + registration.client_id))},
                           {"tid", tenant.directory.tenant_id},
                           {"ver", "2.0"}};
  if (!nonce.empty()) claims["nonce"] = nonce;
  AddGroups(user, claims);
  std::string token = SignRs256(tenant.signing.key, {{"kid", tenant.signing_key_id}}, claims);
  tenant.recorder.Secret("id_token", "issued", "token", token);
  return token;
}

}  // namespace devtenant
