// test/devtenant/key_vault_call.h: one request to the Key Vault, and what serves it.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "test/devtenant/key_vault.h"
#include "test/devtenant/key_vault_routes.h"

namespace devtenant {

/// What one request is about. `version` is empty for the newest.
struct Call {
  Tenant& tenant;
  const httplib::Request& request;
  std::string name, version;
  nlohmann::json body;
};
struct Route {
  const char* action;  // "secrets/get"
  nlohmann::json (*serve)(Call&);
  int status = 200;
};

// Each throws VaultError for what it refuses.
std::string TextIn(const nlohmann::json& body, const char* name);
/// "https://HOST/KIND/NAME/VERSION".
std::string Id(const Call& call, const char* kind, const std::string& version);
/// A form that came without `attributes` changes none; the times are the service's own.
void Patch(Call& call, VaultAttributes& attributes);

nlohmann::json GetCertificate(Call& call);
nlohmann::json UpdateCertificate(Call& call);
nlohmann::json ImportCertificate(Call& call);
/// Self-signed versions alone. The answer is the operation that the vault is at from then on.
nlohmann::json CreateCertificate(Call& call);
nlohmann::json GetPendingCertificate(Call& call);

}  // namespace devtenant
