// vault_adapters/key_vault_error.h: what a refusal of Azure Key Vault means, and what mends it.
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "broker/base/result.h"
#include "broker/ports/http_transport.h"
#include "broker/ports/vault_error.h"

namespace vault {

/// What is asked of the vault. One row each in key_vault_error.cc: what it is called, and which
/// role or access policy allows it.
enum class KeyVaultOperation : uint8_t {
  kGetSecret,
  kListVersions,
  kSetSecret,
  kUpdateSecret,
  kGetDeletedSecret,
  kGetCertificate,
  kImportCertificate,
  kCreateCertificate,
  kUpdateCertificate,
  kGetKey,
  kSign,
  kWrapKey,
  kUnwrapKey,
};

struct OperationInfo {
  KeyVaultOperation operation;
  std::string_view what;        // completes "may not …"
  std::string_view role;        // the narrowest built-in one (Azure RBAC)
  std::string_view permission;  // with access policies
};
const OperationInfo& Describe(KeyVaultOperation operation);

/// By what the operator does about it.
enum class KeyVaultProblem : uint8_t {
  kBadRequest,    // purser or the configuration asks for something that cannot be
  kRoleMissing,   // a role or access policy
  kNetworkRules,  // firewall, private endpoint
  kDisabled,
  kExpired,
  kNotYetValid,
  kNotFound,
  kDeleted,   // soft-deleted: can be recovered
  kConflict,  // somebody else was first
  kThrottled,
  kUnreachable,         // name, connect, TLS, deadline, 5xx
  kUntrustedChallenge,  // a 401 that points to another tenant or resource
  kNoToken,             // VaultAuth had none
  kTokenRefused,        // 401 to a new token
  kInvalid,             // not an answer of a Key Vault
};

struct KeyVaultError {
  KeyVaultProblem problem = KeyVaultProblem::kInvalid;
  broker::ErrorCode code = broker::ErrorCode::kCorrupt;
  std::string detail;  // host, what was refused, what mends it
  // kThrottled and kUnreachable: always set; kNoToken: as the port says.
  std::optional<std::chrono::seconds> retry_after;
};
template <class T>
using KeyVaultResult = std::expected<T, KeyVaultError>;

/// The code that follows from the problem; kNoToken's is the port's own.
broker::ErrorCode CodeOf(KeyVaultProblem problem);
/// "HOST: DETAIL" with the problem's code.
std::unexpected<KeyVaultError> Fault(KeyVaultProblem problem, std::string_view host,
                                     std::string_view detail);
/// What a caller of the ports sees, with the wait in words, too.
std::unexpected<broker::VaultError> AsError(const KeyVaultError& error, std::string_view host);

// A longer wait is not believed; the service's own windows are seconds long.
inline constexpr std::chrono::seconds kMaxVaultRetryAfter{3600};
// For a 429 that does not say: the service counts in windows of ten seconds.
inline constexpr std::chrono::seconds kDefaultVaultRetryAfter{10};

/// Reads an answer whose status is not 200, by the codes of `error.code` and
/// `error.innererror.code` alone: prose is never passed on. kThrottled has its retry_after; the
/// client sets kUnreachable's. Never fails.
KeyVaultError ReadKeyVaultError(const broker::HttpResponse& response, KeyVaultOperation operation,
                                std::string_view host);

}  // namespace vault
