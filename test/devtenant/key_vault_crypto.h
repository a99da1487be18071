// test/devtenant/key_vault_crypto.h: the operations that a Key Vault key does.
#pragma once
#include <string>
#include <string_view>

#include "test/devtenant/key_vault.h"

namespace devtenant {

/// The signature over a SHA-256 `digest` with PS256, RS256 or ES256 (RFC 7518). Each throws
/// VaultError 400 where algorithm, key and input do not fit.
std::string SignDigest(const VaultKey& key, const std::string& algorithm, std::string_view digest);
/// RSA-OAEP-256 or RSA-OAEP.
std::string WrapBytes(const VaultKey& key, const std::string& algorithm, std::string_view bytes);
std::string UnwrapBytes(const VaultKey& key, const std::string& algorithm, std::string_view bytes);

}  // namespace devtenant
