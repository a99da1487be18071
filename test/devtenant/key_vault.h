// test/devtenant/key_vault.h: what the development tenant's Key Vault keeps.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "test/devtenant/keys.h"

namespace devtenant {

struct VaultAttributes {
  bool enabled = true;
  int64_t nbf = 0, exp = 0;  // 0: none
  int64_t created = 0, updated = 0;
};

struct VaultSecret {
  std::string version, value, content_type;
  bool managed = false;  // of a certificate
  VaultAttributes attributes;
};
struct VaultKey {
  std::string version;
  std::shared_ptr<Identity> identity;  // without a certificate for a key of its own
  VaultAttributes attributes;
};
struct VaultCertificate {
  std::string version;
  std::shared_ptr<Identity> identity;
  VaultAttributes attributes;
  nlohmann::json tags = nlohmann::json::object();
};
/// A version that the vault is at, or was: whoever looks at it the second time finds it made.
struct PendingCertificate {
  std::string request_id;
  nlohmann::json tags;
  bool seen = false, made = false;
};

/// Versions stand oldest first. Names are the service's: compared without regard to case, kept in
/// lower case.
struct KeyVault {
  std::string resource = "https://vault.azure.net";  // the audience that tokens must name
  std::map<std::string, std::vector<VaultSecret>> secrets, deleted_secrets;
  std::map<std::string, std::vector<VaultKey>> keys;
  std::map<std::string, std::vector<VaultCertificate>> certificates;
  std::map<std::string, nlohmann::json> policies;  // of certificates
  std::map<std::string, PendingCertificate> pending;
  std::map<std::string, std::set<std::string>> roles;  // built-in role names, by object id
};

/// Thrown by the endpoints; answered as the service answers.
struct VaultError {
  int status = 400;
  std::string code, message, inner;
};
nlohmann::json ErrorBody(const VaultError& error);

std::string NewVersion();
std::string VaultName(const std::string& name);  // in lower case; throws VaultError for no name

/// The version asked for, or the newest where `version` is empty; throws VaultError 404 with
/// `code`.
template <class Item>
Item& FindVersion(std::map<std::string, std::vector<Item>>& items, const std::string& name,
                  const std::string& version, const char* code) {
  const auto found = items.find(VaultName(name));
  if (found != items.end()) {
    if (version.empty()) return found->second.back();
    for (Item& item : found->second) {
      if (item.version == version) return item;
    }
  }
  throw VaultError{.status = 404,
                   .code = code,
                   .message =
                       "An object with this name and version was not found in this key "
                       "vault. If you recently deleted it you may be able to recover it.",
                   .inner = {}};
}

/// `enabled`, `nbf`, `exp` of a request or of the tenant file, over what stands there.
void PatchAttributes(VaultAttributes& attributes, const nlohmann::json& change);
nlohmann::json ToJson(const VaultAttributes& attributes);
nlohmann::json ToJson(const VaultSecret& secret, const std::string& id);

/// A new key: "RSA" of `bits`, or "EC" on P-256. Throws std::runtime_error for another kind.
VaultKey CreateVaultKey(const std::string& kty, unsigned bits, int64_t now);
/// A certificate with key and secret of the same name and version. `pkcs12`: how the secret is
/// kept.
std::string CreateVaultCertificate(KeyVault& vault, const std::string& name, bool pkcs12,
                                   int64_t now);
/// A certificate that was made elsewhere, with its private key, both PEM; kept as that. Throws
/// VaultError for anything else.
VaultCertificate& ImportVaultCertificate(KeyVault& vault, const std::string& name,
                                         const std::string& pem, int64_t now);
/// The public part as Key Vault writes it.
nlohmann::json ToJwk(const VaultKey& key, const std::string& kid);

/// The tenant file's `vault` (README.md). Throws std::runtime_error for what it does not know.
void ParseKeyVault(KeyVault& vault, const nlohmann::json& document, int64_t now);
/// A new version of a secret by the file's or the control interface's members.
VaultSecret& AddVaultSecret(KeyVault& vault, const std::string& name, const nlohmann::json& members,
                            int64_t now);

}  // namespace devtenant
