// The versions of a certificate whose key stays in the vault.
#include <nlohmann/json.hpp>
#include <utility>

#include "broker/base/strict_json.h"
#include "vault_adapters/key_vault_keys.h"
#include "vault_adapters/key_vault_request.h"

namespace vault {
namespace {

using broker::ErrorCode, broker::Fail, broker::KeyVersion, broker::Result, broker::VaultResult;
using nlohmann::json;
using Problem = KeyVaultProblem;

// Entra takes the certificate to its end: longer than the 180 days that purser says of what a
// rotation makes.
constexpr int kMonths = 7;

// The certificate's own policy, for a version that the vault signs itself and that has a key of its
// own. What was imported has no issuer that the service knows.
Result<std::string> PolicyOf(const CertificateFacts& facts, const std::string& host) {
  auto policy = broker::ParseStrictJson(facts.policy);
  if (!policy || !policy->is_object()) {
    return Fail(ErrorCode::kCorrupt, host + ": the certificate came without its policy");
  }
  const json issuer = policy->value("issuer", json::object());
  const json name = issuer.is_object() ? issuer.value("name", json()) : json();
  if (name != json("Self") && name != json("Unknown")) {
    return Fail(ErrorCode::kInvalidRequest,
                host +
                    ": the certificate's policy names an issuer of its own: purser makes "
                    "self-signed versions alone; let that issuer make the new version, and pin "
                    "it with version when Entra has it");
  }
  for (const char* part : {"key_props", "x509_props"}) {
    if (!policy->contains(part) || !policy->at(part).is_object()) (*policy)[part] = json::object();
  }
  policy->erase("id");
  policy->erase("attributes");
  (*policy)["issuer"] = {{"name", "Self"}};
  // Whoever may read the vault's secrets would have an exportable one.
  (*policy)["key_props"]["exportable"] = false;
  (*policy)["key_props"]["reuse_key"] = false;
  (*policy)["x509_props"]["validity_months"] = kMonths;
  return policy->dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
}

// One that somebody else began may wait for a certificate from elsewhere.
std::unexpected<broker::Error> AtIt(const std::string& host, const std::string& name) {
  return Fail(ErrorCode::kConflict,
              host + ": the vault is making a version of certificate " + name +
                  " already: if that does not end, complete or delete its certificate operation");
}

}  // namespace

KeyVaultResult<CertificateFacts> KeyVaultKeys::ReadFacts(const SecretPlace& place) {
  const auto fits = CheckPlace(place);
  if (!fits) return Fault(Problem::kBadRequest, client_.host(), fits.error().detail);
  const auto response = client_.Send(GetCertificateRequest(place));
  if (!response) return std::unexpected(response.error());
  auto facts = ReadCertificate(response->body, place);
  if (!facts) return Fault(Problem::kInvalid, client_.host(), facts.error().detail);
  return std::move(*facts);
}

KeyVaultResult<bool> KeyVaultKeys::IsMaking(const SecretPlace& place) {
  const auto fits = CheckPlace(place);
  if (!fits) return Fault(Problem::kBadRequest, client_.host(), fits.error().detail);
  const auto response = client_.Send(GetPendingRequest(place.name));
  if (!response && response.error().problem == Problem::kNotFound) return false;
  if (!response) return std::unexpected(response.error());
  const auto making = ReadPending(response->body, place.name);
  if (!making) return Fault(Problem::kInvalid, client_.host(), making.error().detail);
  return *making;
}

// The service shows the version before while it makes one, and the new one once it is whole. What
// is pending is asked first: a version that is ready in between is then seen.
VaultResult<KeyVersion> KeyVaultKeys::Look(const std::string& credential,
                                           const std::string& version) {
  const auto place = PlaceOf(credential);
  if (!place) return std::unexpected(place.error());
  if (version.empty()) {
    const auto making = IsMaking(*place);
    if (!making) return AsError(making.error(), client_.host());
    if (*making) return AtIt(client_.host(), place->name);
  }
  auto facts = ReadFacts({place->name, version});
  if (!facts) return AsError(facts.error(), client_.host());
  return KeyVersion{.version = std::move(facts->key_version),
                    .certificate = std::move(facts->certificate),
                    .label = std::move(facts->label),
                    .enabled = facts->attributes.enabled};
}

VaultResult<void> KeyVaultKeys::Enable(const std::string& credential, const std::string& version,
                                       bool enabled) {
  const auto place = PlaceOf(credential);
  if (!place) return std::unexpected(place.error());
  const SecretPlace one{place->name, version};
  if (!place->version.empty() || version.empty() || !CheckPlace(one)) {
    return Fail(ErrorCode::kInvalidRequest,
                client_.host() + ": no version of a key that can be rotated");
  }
  const auto response = client_.Send(UpdateCertificateRequest(one, enabled));
  if (!response) return AsError(response.error(), client_.host());
  return {};
}

// The policy comes with the newest version alone. Who disabled the one in use has ended it: what is
// asked here would take that back.
VaultResult<void> KeyVaultKeys::MayMake(const std::string& credential, const std::string& version) {
  const auto place = PlaceOf(credential);
  if (!place) return std::unexpected(place.error());
  const auto making = IsMaking(*place);
  if (!making) return AsError(making.error(), client_.host());
  if (*making) return AtIt(client_.host(), place->name);
  const auto newest = ReadFacts({place->name, {}});
  if (!newest) return AsError(newest.error(), client_.host());
  if (const auto policy = PolicyOf(*newest, client_.host()); !policy) {
    return std::unexpected(policy.error());
  }
  const bool is_newest = newest->key_version == version;
  const auto used = is_newest ? newest : ReadFacts({place->name, version});
  if (!used) return AsError(used.error(), client_.host());
  if (!used->attributes.enabled) {
    return Fail(ErrorCode::kConflict,
                client_.host() + ": version " + version + " of certificate " + place->name +
                    ", which is in use, was disabled in the vault: enable it there first");
  }
  return Enable(credential, version, true);
}

VaultResult<void> KeyVaultKeys::Make(const std::string& credential, const std::string& label) {
  const auto place = PlaceOf(credential);
  if (!place) return std::unexpected(place.error());
  const auto newest = ReadFacts({place->name, {}});
  if (!newest) return AsError(newest.error(), client_.host());
  const auto policy = PolicyOf(*newest, client_.host());
  if (!policy) return std::unexpected(policy.error());
  const auto response = client_.Send(CreateCertificateRequest(place->name, *policy, label));
  if (!response && response.error().problem == Problem::kConflict) {
    return AtIt(client_.host(), place->name);
  }
  if (!response) return AsError(response.error(), client_.host());
  return {};
}

VaultResult<void> KeyVaultKeys::Disable(const std::string& credential, const std::string& version) {
  return Enable(credential, version, false);
}

VaultResult<std::string> KeyVaultKeys::SignRs256(const std::string& credential,
                                                 const std::string& version,
                                                 const broker::Signer::Digest& digest) {
  return SignWith(credential, version, KeyVaultAlgorithm::kRs256, digest);
}

}  // namespace vault
