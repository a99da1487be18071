#include "test/devtenant/app_credentials.h"

#include <algorithm>
#include <chrono>

#include "test/devtenant/encoding.h"
#include "test/devtenant/graph_operation.h"
#include "test/devtenant/jwt.h"
#include "test/devtenant/tenant.h"

namespace devtenant {
namespace {

using nlohmann::json;

constexpr int64_t kTwoYearsSeconds = int64_t{2} * 365 * 24 * 3600;  // Graph's default
constexpr int64_t kLongestProofSeconds = 600;
constexpr int64_t kClockSkewSeconds = 300;
constexpr char kProofAudience[] = "00000002-0000-0000-c000-000000000000";
constexpr size_t kSecretBytes = 27;  // 36 characters, with the prefix 40, as Entra's
constexpr size_t kHintLength = 3;

int64_t SteadyMilliseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

Propagation PropagationOf(const Settings& settings) {
  return {.requests = settings.propagation_requests,
          .usable_at_ms = SteadyMilliseconds() + static_cast<int64_t>(settings.propagation_ms)};
}

[[noreturn]] void Refuse(const std::string& message) {
  throw GraphError{400, "Request_BadRequest", message};
}

void RequireMembers(const json& object, const std::set<std::string>& known) {
  for (const auto& [name, value] : object.items()) {
    if (!known.contains(name)) Refuse("The property '" + name + "' does not exist.");
  }
}

std::string TextOf(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return {};
  if (!found->is_string()) Refuse(std::string("The property '") + name + "' is no text.");
  return found->get<std::string>();
}

int64_t TimeOf(const json& object, const char* name, int64_t otherwise) {
  const std::string text = TextOf(object, name);
  if (text.empty()) return otherwise;
  const auto time = FromIso8601(text);
  if (!time) Refuse(std::string("The property '") + name + "' is no time.");
  return *time;
}

bool GoodAt(const KeyCredential& key, int64_t now) { return key.start <= now && now < key.end; }

bool ProofHolds(const Tenant& tenant, const Registration& application, const std::string& proof) {
  const auto jwt = ParseJwt(proof);
  if (!jwt || jwt->header.value("alg", "") != "RS256") return false;
  const int64_t now = tenant.Now();
  const bool ours = std::ranges::any_of(application.certificates, [&](const KeyCredential& key) {
    const Certificate certificate = CertificateFromPem(key.pem);
    return GoodAt(key, now) && VerifyJwt(*jwt, X509_get0_pubkey(certificate.get()));
  });
  const json& claims = jwt->claims;
  const auto number = [&](const char* name, int64_t otherwise) {
    return claims.contains(name) && claims.at(name).is_number() ? claims.at(name).get<int64_t>()
                                                                : otherwise;
  };
  const int64_t begins = number("nbf", INT64_MAX), ends = number("exp", 0);
  return ours && claims.value("aud", json()) == kProofAudience &&
         claims.value("iss", json()) == application.object_id &&
         begins <= now + kClockSkewSeconds && ends > now - kClockSkewSeconds && ends > begins &&
         ends - begins <= kLongestProofSeconds;
}

void RequireProof(const Tenant& tenant, const Registration& application, const json& body) {
  if (!ProofHolds(tenant, application, TextOf(body, "proof"))) {
    throw GraphError{401, "Authentication_MissingOrMalformed",
                     "The proof is missing, malformed or not valid."};
  }
}

template <typename Credential>
void RemoveById(std::vector<Credential>& credentials, const json& body) {
  const std::string key_id = TextOf(body, "keyId");
  if (std::erase_if(credentials, [&](const Credential& one) { return one.key_id == key_id; }) == 0)
    Refuse("There is no credential with this keyId to be removed.");
}

std::string NewSecret() { return "dev~" + ToBase64Url(RandomBytes(kSecretBytes)); }

}  // namespace

bool HasArrived(Propagation& propagation) {
  if (propagation.requests > 0) {
    --propagation.requests;
    return false;
  }
  return SteadyMilliseconds() >= propagation.usable_at_ms;
}

PasswordCredential NewPassword(const std::string& secret, int64_t now) {
  return {.key_id = NewGuid(),
          .secret = secret,
          .display_name = {},
          .start = now,
          .end = now + kTwoYearsSeconds,
          .propagation = {}};
}

PasswordCredential ExpiredPassword(const std::string& secret) {
  PasswordCredential password = NewPassword(secret, 0);
  password.end = 1;
  return password;
}

KeyCredential NewKey(const std::string& pem) {
  const Certificate certificate = CertificateFromPem(pem);
  const std::string der = ToDer(certificate);
  const Validity validity = ValidityOf(certificate);
  return {.key_id = NewGuid(),
          .display_name = {},
          .sha1 = ToBase64Url(Sha1(der)),
          .sha256 = ToBase64Url(Sha256(der)),
          .pem = pem,
          .start = validity.not_before,
          .end = validity.not_after,
          .propagation = {}};
}

json PasswordObject(const PasswordCredential& password) {
  return {{"customKeyIdentifier", nullptr},
          {"displayName", password.display_name},
          {"startDateTime", ToIso8601(password.start)},
          {"endDateTime", ToIso8601(password.end)},
          {"hint", password.secret.substr(0, kHintLength)},
          {"keyId", password.key_id},
          {"secretText", nullptr}};
}

json KeyObject(const KeyCredential& key) {
  return {{"customKeyIdentifier", ToHex(*FromBase64Url(key.sha1))},
          {"displayName", key.display_name},
          {"startDateTime", ToIso8601(key.start)},
          {"endDateTime", ToIso8601(key.end)},
          {"key", nullptr},
          {"keyId", key.key_id},
          {"type", "AsymmetricX509Cert"},
          {"usage", "Verify"}};
}

json AddPassword(Tenant& tenant, Registration& application, const json& body) {
  RequireMembers(body, {"passwordCredential"});
  const json asked = body.value("passwordCredential", json::object());
  if (!asked.is_object()) Refuse("A passwordCredential is expected.");
  RequireMembers(asked, {"displayName", "startDateTime", "endDateTime"});
  const int64_t now = tenant.Now();
  PasswordCredential password = NewPassword(NewSecret(), now);
  password.display_name = TextOf(asked, "displayName");
  password.start = TimeOf(asked, "startDateTime", now);
  password.end = TimeOf(asked, "endDateTime", password.start + kTwoYearsSeconds);
  if (password.end <= now || password.end <= password.start) Refuse("The end date is not valid.");
  password.propagation = PropagationOf(tenant.settings);
  tenant.recorder.Secret("client_secret", "issued", "graph", password.secret);
  json answer = PasswordObject(password);
  answer["secretText"] = password.secret;
  application.passwords.push_back(std::move(password));
  return answer;
}

void RemovePassword(Registration& application, const json& body) {
  RequireMembers(body, {"keyId"});
  RemoveById(application.passwords, body);
}

json AddKey(Tenant& tenant, Registration& application, const json& body) {
  RequireMembers(body, {"keyCredential", "passwordCredential", "proof"});
  RequireProof(tenant, application, body);
  const json asked = body.value("keyCredential", json());
  if (!asked.is_object()) Refuse("A keyCredential is expected.");
  RequireMembers(asked, {"type", "usage", "key", "displayName", "startDateTime", "endDateTime"});
  const bool without_password = body.value("passwordCredential", json()).is_null();
  if (TextOf(asked, "type") != "AsymmetricX509Cert" || TextOf(asked, "usage") != "Verify" ||
      !without_password) {
    Refuse("A certificate is of the type AsymmetricX509Cert, to Verify, without a password.");
  }
  const auto der = FromBase64(TextOf(asked, "key"));
  const Certificate certificate = der ? CertificateFromDer(*der) : nullptr;
  if (certificate == nullptr) Refuse("The key is no certificate in base64.");
  KeyCredential key = NewKey(ToPem(certificate));
  key.display_name = TextOf(asked, "displayName");
  key.start = TimeOf(asked, "startDateTime", key.start);
  key.end = std::min(key.end, TimeOf(asked, "endDateTime", key.end));
  if (key.end <= tenant.Now()) Refuse("The end date is not valid.");
  key.propagation = PropagationOf(tenant.settings);
  application.certificates.push_back(key);
  return KeyObject(key);
}

void RemoveKey(const Tenant& tenant, Registration& application, const json& body) {
  RequireMembers(body, {"keyId", "proof"});
  RequireProof(tenant, application, body);
  RemoveById(application.certificates, body);
}

}  // namespace devtenant
