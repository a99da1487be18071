#include "vault_adapters/key_vault_keys.h"

#include <utility>

namespace vault {
namespace {

using broker::ErrorCode, broker::Exit, broker::Fail, broker::Result, broker::Secret,
    broker::VaultResult;
using Problem = KeyVaultProblem;

constexpr size_t kEs256Bytes = 64;  // RFC 7518 §3.4: r and s, not DER

bool IsRsaLength(size_t bytes) { return bytes == 256 || bytes == 384 || bytes == 512; }

bool HasLengthOf(KeyVaultAlgorithm algorithm, size_t bytes) {
  return algorithm == KeyVaultAlgorithm::kEs256 ? bytes == kEs256Bytes : IsRsaLength(bytes);
}

}  // namespace

Result<SecretPlace> KeyVaultKeys::PlaceOf(const std::string& credential) const {
  const auto found = places_.find(credential);
  if (found == places_.end()) {
    return Fail(ErrorCode::kNotFound,
                client_.host() + ": the configuration names no key for " + credential);
  }
  return found->second;
}

// A path without the version is not one that the service documents for operations.
KeyVaultResult<SecretPlace> KeyVaultKeys::Pinned(const SecretPlace& place) {
  const auto fits = CheckPlace(place);
  if (!fits) return Fault(Problem::kBadRequest, client_.host(), fits.error().detail);
  if (!place.version.empty()) return place;
  auto key = GetKey(place);
  if (!key) return std::unexpected(key.error());
  return SecretPlace{place.name, std::move(key->version)};
}

KeyVaultResult<KeyOperationResult> KeyVaultKeys::Operate(const KeyVaultRequest& request,
                                                         const SecretPlace& place) {
  const auto response = client_.Send(request);
  if (!response) return std::unexpected(response.error());
  auto result = ReadKeyOperation(response->body, place);
  if (!result) return Fault(Problem::kInvalid, client_.host(), result.error().detail);
  return std::move(*result);
}

KeyVaultResult<KeyVaultKeys::Made> KeyVaultKeys::Sign(const SecretPlace& place,
                                                      KeyVaultAlgorithm algorithm,
                                                      std::span<const std::byte, 32> digest) {
  const auto pinned = Pinned(place);
  if (!pinned) return std::unexpected(pinned.error());
  auto result = Operate(SignRequest(*pinned, algorithm, digest), *pinned);
  if (!result) return std::unexpected(result.error());
  if (!HasLengthOf(algorithm, result->value.size())) {
    return Fault(Problem::kInvalid, client_.host(), "a signature of another length");
  }
  return Made{std::move(result->version), std::string(result->value.Expose(Exit::kSendUpstream))};
}

KeyVaultResult<KeyVaultKeys::Made> KeyVaultKeys::Wrap(const SecretPlace& place, const Secret& key) {
  constexpr size_t kMaxWrapped = 190;  // of RSA 2048: 256 - 2 * 32 - 2 (RFC 8017 §7.1.1)
  if (key.empty() || key.size() > kMaxWrapped) {
    return Fault(Problem::kBadRequest, client_.host(), "a key of 1 to 190 bytes can be wrapped");
  }
  const auto pinned = Pinned(place);
  if (!pinned) return std::unexpected(pinned.error());
  auto result = Operate(WrapKeyRequest(*pinned, key), *pinned);
  if (!result) return std::unexpected(result.error());
  if (!IsRsaLength(result->value.size())) {
    return Fault(Problem::kInvalid, client_.host(), "a wrapped key of another length");
  }
  return Made{std::move(result->version), std::string(result->value.Expose(Exit::kSealToDisk))};
}

KeyVaultResult<Secret> KeyVaultKeys::Unwrap(const SecretPlace& place, std::string_view wrapped,
                                            size_t size) {
  const auto fits = CheckPlace(place);
  if (!fits) return Fault(Problem::kBadRequest, client_.host(), fits.error().detail);
  if (place.version.empty() || !IsRsaLength(wrapped.size())) {
    return Fault(Problem::kBadRequest, client_.host(),
                 "what is unwrapped has the version that wrapped it, and the length of RSA");
  }
  auto result = Operate(UnwrapKeyRequest(place, wrapped), place);
  if (!result) return std::unexpected(result.error());
  if (result->value.size() != size) {
    return Fault(Problem::kInvalid, client_.host(), "an unwrapped key of another length");
  }
  return std::move(result->value);
}

KeyVaultResult<PublicKey> KeyVaultKeys::GetKey(const SecretPlace& place) {
  const auto fits = CheckPlace(place);
  if (!fits) return Fault(Problem::kBadRequest, client_.host(), fits.error().detail);
  const auto response = client_.Send(GetKeyRequest(place));
  if (!response) return std::unexpected(response.error());
  auto key = ReadKey(response->body, place);
  if (!key) return Fault(Problem::kInvalid, client_.host(), key.error().detail);
  if (const auto problem = Unusable(key->attributes, client_.NowAt(*response))) {
    return Fault(*problem, client_.host(), "");
  }
  return std::move(*key);
}

KeyVaultResult<CertificateFacts> KeyVaultKeys::GetCertificate(const SecretPlace& place) {
  const auto fits = CheckPlace(place);
  if (!fits) return Fault(Problem::kBadRequest, client_.host(), fits.error().detail);
  const auto response = client_.Send(GetCertificateRequest(place));
  if (!response) return std::unexpected(response.error());
  auto facts = ReadCertificate(response->body, place);
  if (!facts) return Fault(Problem::kInvalid, client_.host(), facts.error().detail);
  if (const auto problem = Unusable(facts->attributes, client_.NowAt(*response))) {
    return Fault(*problem, client_.host(), "");
  }
  return std::move(*facts);
}

// Nobody is to sign with a version that was made while this one looked, before Entra knows it:
// where none was in use by name, that is asked once more when the newest is known.
VaultResult<broker::SigningKey> KeyVaultKeys::Current(const std::string& credential) {
  auto place = PlaceOf(credential);
  if (!place) return std::unexpected(place.error());
  const bool asks = active_ && place->version.empty();
  auto facts = KeyVaultResult<CertificateFacts>();
  for (bool again = true; again;) {
    if (asks) {
      auto active = active_(credential);
      if (!active) return std::unexpected(broker::VaultError(active.error()));
      place->version = std::move(*active);
    }
    facts = GetCertificate(*place);
    if (!facts) return AsError(facts.error(), client_.host());
    again = asks && place->version.empty() && active_(credential).value_or("") != "";
  }
  return broker::SigningKey{.version = std::move(facts->key_version),
                            .thumbprint = std::move(facts->thumbprint),
                            .host = client_.host(),
                            .expires = facts->attributes.expires};
}

VaultResult<std::string> KeyVaultKeys::SignPs256(const std::string& credential,
                                                 const std::string& version, const Digest& digest) {
  return SignWith(credential, version, KeyVaultAlgorithm::kPs256, digest);
}

VaultResult<std::string> KeyVaultKeys::SignWith(const std::string& credential,
                                                const std::string& version,
                                                KeyVaultAlgorithm algorithm, const Digest& digest) {
  const auto place = PlaceOf(credential);
  if (!place) return std::unexpected(place.error());
  auto made = Sign({place->name, version}, algorithm, digest);
  if (!made) return AsError(made.error(), client_.host());
  return std::move(made->bytes);
}

}  // namespace vault
