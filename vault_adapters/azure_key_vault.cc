#include "vault_adapters/azure_key_vault.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "vault_adapters/key_vault_request.h"
#include "vault_adapters/pkcs12.h"

namespace vault {
namespace {

using broker::Clock, broker::ErrorCode, broker::Fail, broker::Result, broker::Secret,
    broker::SecretId, broker::SecretKind, broker::VaultResult, broker::VaultSecret;
using Problem = KeyVaultProblem;

constexpr std::string_view kPkcs12Type = "application/x-pkcs12";
constexpr std::string_view kPemType = "application/x-pem-file";
constexpr std::string_view kPlainText = "text/plain";

bool MeansNone(const std::string& version) { return version.empty() || version == "0"; }

}  // namespace

Result<SecretPlace> AzureKeyVault::PlaceOf(const SecretId& id) const {
  const auto found = places_.find(id);
  if (found == places_.end()) {
    return Fail(ErrorCode::kNotFound,
                client_.host() + ": the configuration names no place for " + id.name);
  }
  if (const auto fits = CheckPlace(found->second); !fits) return std::unexpected(fits.error());
  return found->second;
}

KeyVaultResult<SecretBundle> AzureKeyVault::Read(const SecretPlace& place, Clock::Wall* now) {
  const auto response = client_.Send(GetSecretRequest(place));
  if (!response) {
    if (response.error().problem != Problem::kNotFound) return std::unexpected(response.error());
    return std::unexpected(ExplainMissing(response.error(), place.name));
  }
  *now = client_.NowAt(*response);
  auto bundle = ReadSecretBundle(response->body, place);
  if (!bundle) return Fault(Problem::kInvalid, client_.host(), bundle.error().detail);
  return std::move(*bundle);
}

// The service says the same of what never was and of what was deleted: one look tells them apart.
// Whether it is allowed or not, the answer to the first question stands.
KeyVaultError AzureKeyVault::ExplainMissing(KeyVaultError missing, const std::string& name) {
  if (!client_.Send(GetDeletedSecretRequest(name))) return missing;
  return Fault(Problem::kDeleted, client_.host(), "").error();
}

KeyVaultResult<SecretBundle> AzureKeyVault::Get(const SecretPlace& place) {
  Clock::Wall now{};
  auto bundle = Read(place, &now);
  if (!bundle) return bundle;
  if (const auto problem = Unusable(bundle->attributes, now)) {
    return Fault(*problem, client_.host(), "");
  }
  return bundle;
}

KeyVaultResult<std::vector<SecretVersion>> AzureKeyVault::ListVersions(const std::string& name) {
  std::vector<SecretVersion> all;
  KeyVaultRequest request = ListVersionsRequest(name);
  for (int page_number = 0; page_number < kMaxPages; ++page_number) {
    const auto response = client_.Send(request);
    if (!response) return std::unexpected(response.error());
    auto page = ReadVersionPage(response->body, name, client_.url());
    if (!page) return Fault(Problem::kInvalid, client_.host(), page.error().detail);
    std::ranges::move(page->versions, std::back_inserter(all));
    if (page->next_target.empty()) {
      // The service counts seconds: within one, any order will do, as long as it is one order.
      std::ranges::sort(all, [](const SecretVersion& a, const SecretVersion& b) {
        return std::tie(a.attributes.created, a.version) >
               std::tie(b.attributes.created, b.version);
      });
      return all;
    }
    request.target = std::move(page->next_target);
  }
  return Fault(Problem::kInvalid, client_.host(), "more than 1,000 versions: purge old ones");
}

KeyVaultResult<std::string> AzureKeyVault::Set(const std::string& name, const Secret& value,
                                               std::string_view content_type) {
  const auto request = SetSecretRequest(name, value, content_type);
  if (!request) return Fault(Problem::kBadRequest, client_.host(), request.error().detail);
  const auto response = client_.Send(*request);
  if (!response) return std::unexpected(response.error());
  auto bundle = ReadSecretBundle(response->body, {name, {}});
  if (!bundle) return Fault(Problem::kInvalid, client_.host(), bundle.error().detail);
  return std::move(bundle->version);
}

KeyVaultResult<std::string> AzureKeyVault::Import(const std::string& name, const Secret& pem) {
  const auto request = ImportCertificateRequest(name, pem);
  if (!request) return Fault(Problem::kBadRequest, client_.host(), request.error().detail);
  const auto response = client_.Send(*request);
  if (!response) return std::unexpected(response.error());
  auto facts = ReadCertificate(response->body, {name, {}});
  if (!facts) return Fault(Problem::kInvalid, client_.host(), facts.error().detail);
  return std::move(facts->version);
}

VaultResult<VaultSecret> AzureKeyVault::Fetch(const SecretId& id) {
  const auto place = PlaceOf(id);
  if (!place) return std::unexpected(place.error());
  auto bundle = Get(*place);
  if (!bundle) return AsError(bundle.error(), client_.host());
  VaultSecret secret{.value = std::move(bundle->value),
                     .version = std::move(bundle->version),
                     .host = client_.host(),
                     .expires = bundle->attributes.expires};
  if (id.kind == SecretKind::kCertificate && bundle->content_type == kPkcs12Type) {
    auto pem = PemOfPkcs12(secret.value);
    if (!pem) return Fail(pem.error().code, client_.host() + ": " + pem.error().detail);
    secret.value = std::move(*pem);
  }
  return secret;
}

// A version that purser may change.
Result<SecretPlace> AzureKeyVault::VersionAt(const SecretId& id, const std::string& version) const {
  const auto place = PlaceOf(id);
  if (!place) return std::unexpected(place.error());
  if (!place->version.empty()) {
    return Fail(ErrorCode::kInvalidRequest,
                client_.host() + ": a pinned version cannot be replaced: remove version");
  }
  SecretPlace one{place->name, version};
  if (version.empty() || !CheckPlace(one)) {
    return Fail(ErrorCode::kInvalidRequest, client_.host() + ": no version of a Key Vault");
  }
  return one;
}

// Whether it is the private part of what the vault knows as a certificate.
KeyVaultResult<bool> AzureKeyVault::IsManaged(const SecretId& id, const std::string& name) {
  if (id.kind != SecretKind::kCertificate) return false;
  Clock::Wall now{};
  const auto newest = Read({name, {}}, &now);
  if (!newest) return std::unexpected(newest.error());
  return newest->managed;
}

VaultResult<void> AzureKeyVault::Enable(const SecretId& id, const std::string& version,
                                        bool enabled) {
  const auto one = VersionAt(id, version);
  if (!one) return std::unexpected(one.error());
  const auto managed = IsManaged(id, one->name);
  if (!managed) return AsError(managed.error(), client_.host());
  const auto response = client_.Send(*managed ? UpdateCertificateRequest(*one, enabled)
                                              : UpdateSecretRequest(*one, enabled));
  if (!response) return AsError(response.error(), client_.host());
  return {};
}

VaultResult<void> AzureKeyVault::Expire(const SecretId& id, const std::string& version,
                                        Clock::Wall at) {
  const auto one = VersionAt(id, version);
  if (!one) return std::unexpected(one.error());
  const auto managed = IsManaged(id, one->name);
  if (!managed) return AsError(managed.error(), client_.host());
  if (*managed) return {};
  const auto response = client_.Send(ExpireSecretRequest(*one, at));
  if (!response) return AsError(response.error(), client_.host());
  return {};
}

VaultResult<void> AzureKeyVault::MayWrite(const SecretId& id, const std::string& version) {
  return Enable(id, version, true);
}

VaultResult<void> AzureKeyVault::Disable(const SecretId& id, const std::string& version) {
  return Enable(id, version, false);
}

VaultResult<std::string> AzureKeyVault::Replace(const SecretId& id,
                                                const std::string& expected_version,
                                                const Secret& value) {
  const auto place = PlaceOf(id);
  if (!place) return std::unexpected(place.error());
  if (!place->version.empty()) {
    return Fail(ErrorCode::kInvalidRequest,
                client_.host() + ": a pinned version cannot be replaced: remove version");
  }
  Clock::Wall now{};
  const auto newest = Read(*place, &now);  // an expired one may be replaced
  const bool none = !newest && newest.error().problem == Problem::kNotFound;
  if (!newest && !none) return AsError(newest.error(), client_.host());
  if (none ? !MeansNone(expected_version) : newest->version != expected_version) {
    return AsError(Fault(Problem::kConflict, client_.host(), "").error(), client_.host());
  }
  const bool pem = id.kind == SecretKind::kCertificate;
  auto version = newest && newest->managed ? Import(place->name, value)
                                           : Set(place->name, value, pem ? kPemType : kPlainText);
  if (!version) return AsError(version.error(), client_.host());
  return std::move(*version);
}

}  // namespace vault
