// vault_adapters/key_vault_request.h: what is sent to Azure Key Vault. Pure.
//
// Source: Key Vault REST reference, "Secrets", "Keys", "Certificates", api-version 7.4.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/ports/clock.h"
#include "vault_adapters/key_vault_error.h"
#include "vault_adapters/secret_place.h"

namespace vault {

// Generally available in every cloud since 2023, and all that purser asks is in it.
inline constexpr std::string_view kKeyVaultApiVersion = "7.4";
// The service refuses longer values.
inline constexpr size_t kMaxSecretValueBytes = size_t{25} << 10;
// The most that the service gives; a page then has 5 kB.
inline constexpr int kVersionsPerPage = 25;

/// By which a rotation knows a version that it has asked for.
inline constexpr const char* kLabelTag = "purser-rotation";

struct KeyVaultRequest {
  KeyVaultOperation operation{};
  std::string method;   // GET, PUT, PATCH, POST
  std::string target;   // path and query, below the vault's origin
  broker::Secret body;  // JSON; empty: none
};

/// 1 to 127 of 0-9, a-z, A-Z and '-', which need no escaping in a path.
bool IsKeyVaultName(std::string_view text);
/// 32 hexadecimal digits, as the service writes them.
bool IsKeyVaultVersion(std::string_view text);
/// Errors: kInvalidRequest (the place's name, or a version that is none).
broker::Status CheckPlace(const SecretPlace& place);

enum class KeyVaultAlgorithm : uint8_t { kPs256, kRs256, kEs256 };

// Each REQUIRES that CheckPlace accepts the place or name.
KeyVaultRequest GetSecretRequest(const SecretPlace& place);
KeyVaultRequest ListVersionsRequest(const std::string& name);
KeyVaultRequest GetDeletedSecretRequest(const std::string& name);
KeyVaultRequest GetCertificateRequest(const SecretPlace& place);
KeyVaultRequest GetKeyRequest(const SecretPlace& place);
/// Sets a new version. Errors: kInvalidRequest (longer than kMaxSecretValueBytes, or bytes other
/// than printable ASCII, tab and line ends).
broker::Result<KeyVaultRequest> SetSecretRequest(const std::string& name,
                                                 const broker::Secret& value,
                                                 std::string_view content_type);
/// A new version of certificate, key and secret from a PEM with the private key. Errors: as above.
broker::Result<KeyVaultRequest> ImportCertificateRequest(const std::string& name,
                                                         const broker::Secret& pem);
/// How far the vault is with the version that was asked for last.
KeyVaultRequest GetPendingRequest(const std::string& name);
/// Has the vault make a new version. `policy`: JSON, of ASCII; `label` its tag, without what JSON
/// escapes.
KeyVaultRequest CreateCertificateRequest(const std::string& name, const std::string& policy,
                                         const std::string& label);
// The six that follow also REQUIRE a version.
/// Enables or disables it, and leaves all else.
KeyVaultRequest UpdateSecretRequest(const SecretPlace& place, bool enabled);
/// It expires then, and leaves all else.
KeyVaultRequest ExpireSecretRequest(const SecretPlace& place, broker::Clock::Wall expires);
/// The same with a certificate, and so with its key and its private part.
KeyVaultRequest UpdateCertificateRequest(const SecretPlace& place, bool enabled);
/// `digest` is the SHA-256 of what is signed.
KeyVaultRequest SignRequest(const SecretPlace& place, KeyVaultAlgorithm algorithm,
                            std::span<const std::byte, 32> digest);
/// RSA-OAEP-256 (RFC 7518 §4.3).
KeyVaultRequest WrapKeyRequest(const SecretPlace& place, const broker::Secret& key);
KeyVaultRequest UnwrapKeyRequest(const SecretPlace& place, std::string_view wrapped);

}  // namespace vault
