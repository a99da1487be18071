#include "broker/policy/credential_commands.h"

#include <algorithm>

#include "broker/policy/clouds.h"
#include "broker/policy/config_values.h"
#include "broker/policy/registrations.h"

namespace broker::policy {
namespace {

constexpr std::string_view kKeyVault = "azure-key-vault";

// A vault is called what its host begins with.
std::string VaultName(const Vault& vault) {
  const std::string_view host = HostOf(vault.url);
  return std::string(host.substr(0, host.find('.')));
}

// The vault that the secret comes from; nullptr: purser's own store.
const Vault* VaultOf(const Config& config, const Credential& credential) {
  const auto found = config.vaults.find(credential.vault);
  return found == config.vaults.end() ? nullptr : &found->second;
}

std::string FederatedCredential(const std::string& issuer, const std::string& subject,
                                std::string_view audience) {
  return "az ad app federated-credential create --id \"$app\" --output none --parameters \\\n"
         "  \"{\\\"name\\\":\\\"purser\\\",\\\"issuer\\\":\\\"" +
         issuer + "\\\",\\\"subject\\\":\\\"" + subject + "\\\",\\\"audiences\\\":[\\\"" +
         std::string(audience) + "\\\"]}\"\n";
}

std::string NewPassword() {
  return "az ad app credential reset --id $app --append --display-name purser --years 1 --query "
         "password --output tsv";
}

std::string ClientSecretCommands(const Credential& credential, const Vault* vault) {
  if (vault == nullptr)
    return "# " + NewPassword() + " | purser secret set " + credential.name + "\n";
  if (vault->kind == kKeyVault) {
    return "# " + NewPassword() + " | tr -d '\\n' | az keyvault secret set --vault-name " +
           VaultName(*vault) + " --name " + credential.secret +
           " --file /dev/stdin --encoding utf-8 --output none\n";
  }
  return "# what this prints belongs into the mounted file " +
         HereText(vault->path + "/" + credential.secret) + ": " + NewPassword() + "\n";
}

// A key that never leaves the vault, or one that purser fetches.
std::string VaultCertificateCommands(const Credential& credential, const Vault& vault) {
  const std::string policy = "az keyvault certificate get-default-policy";
  const bool stays = credential.kind == "key-vault-key";
  return "# az keyvault certificate create --vault-name " + VaultName(vault) + " --name " +
         credential.secret + " --output none --policy \"\\$(" + policy +
         (stays ? R"( | sed 's/"exportable": true/"exportable": false/')" : "") + ")\"\n" +
         "# az ad app credential reset --id $app --append --keyvault " + VaultName(vault) +
         " --cert " + credential.secret + " --output none\n";
}

std::string CertificateCommands(const Credential& credential, const Vault* vault,
                                const std::string& display_name) {
  if (vault != nullptr && vault->kind == kKeyVault) {
    return VaultCertificateCommands(credential, *vault);
  }
  return "# openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj /CN=" + display_name +
         " -keyout key.pem -out cert.pem\n"
         "# az ad app credential reset --id $app --append --cert @cert.pem --output none\n" +
         (vault == nullptr ? "# cat cert.pem key.pem | purser secret set " + credential.name +
                                 " && shred -u key.pem\n"
                           : "# cat cert.pem key.pem  # belongs into the mounted file " +
                                 HereText(vault->path + "/" + credential.secret) + "\n");
}

std::string Assign(const std::string& role, const std::string& below) {
  return "az role assignment create --assignee-object-id \"$reader\" --assignee-principal-type "
         "ServicePrincipal \\\n  --role '" +
         role + "' --scope \"$vault/" + below + "\" --output none\n";
}

std::string AssignmentsFor(const Credential& credential) {
  const bool rotated = credential.rotate_every.count() != 0;
  if (credential.kind == "key-vault-key") {
    // Besides reading, the officer's role has new versions made and old ones disabled.
    return Assign("Key Vault Crypto User", "keys/" + credential.secret) +
           Assign(rotated ? "Key Vault Certificates Officer" : "Key Vault Certificate User",
                  "certificates/" + credential.secret);
  }
  // A refresh token is replaced with each use.
  const bool certificate = credential.kind == "certificate";
  const bool writes = credential.kind == "refresh-token" || (rotated && !certificate);
  return Assign(writes ? "Key Vault Secrets Officer" : "Key Vault Secrets User",
                "secrets/" + credential.secret) +
         (rotated && certificate
              ? Assign("Key Vault Certificates Officer", "certificates/" + credential.secret)
              : std::string());
}

// The key that wraps the store's: made before a role can be given on it.
std::string SealCommands(const Vault& vault, const std::string& key) {
  const std::string which = " --vault-name " + VaultName(vault) + " --name " + key;
  return "az keyvault key show" + which +
         " --output none 2>/dev/null ||\n  az keyvault key create" + which +
         " --kty RSA --size 3072 --ops wrapKey unwrapKey --output none\n" +
         Assign("Key Vault Crypto Service Encryption User", "keys/" + key);
}

// The client id of who shows itself to the vault; one that this script makes is in a variable.
std::string Reader(const Config& config, const Vault& vault) {
  for (const auto& [name, credential] : config.credentials) {
    if (!ShowsVault(vault, credential)) continue;
    const bool is_made = credential.kind != "managed-identity";
    return is_made ? "$" + VariableOf(name) : GivenId(credential);
  }
  return vault.client_id;
}

}  // namespace

std::string ShellWord(std::string_view text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./:@").find(c) != std::string_view::npos;
  });
  if (plain) return std::string(text);
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

std::string HereText(std::string_view text) {
  std::string here;
  for (const char c : text) {
    if (c == '$' || c == '`' || c == '\\') here += '\\';
    here += c;
  }
  return here;
}

std::string VariableOf(std::string_view credential) {
  std::string variable = "app_" + std::string(credential);
  std::ranges::replace(variable, '-', '_');
  return variable;
}

std::string GivenId(const Credential& credential) {
  return IsYetToBeMade(credential) ? "$" + VariableOf(credential.name) : credential.client_id;
}

std::string RedirectUriOption(const Credential& credential) {
  const char* option =
      credential.confidential ? "--web-redirect-uris" : "--public-client-redirect-uris";
  return std::string(option) + " http://localhost";
}

std::string TrustCommands(const Config& config, const Credential& credential) {
  if (credential.kind != "federated") return {};
  const std::string_view audience = ExchangeAudience(config.tenant);
  const auto proof = config.credentials.find(credential.proof);
  if (proof == config.credentials.end()) {
    return FederatedCredential("$ISSUER", "$SUBJECT", audience);
  }
  return "tenant=$(az account show --query tenantId --output tsv)\nsubject=$(az ad sp show --id "
         "\"" +
         GivenId(proof->second) + "\" --query id --output tsv)\n" +
         FederatedCredential(IssuersOf(config.tenant, "$tenant").front(), "$subject", audience);
}

std::string SecretCommands(const Config& config, const Credential& credential,
                           const std::string& display_name) {
  const std::string& kind = credential.kind;
  const Vault* vault = VaultOf(config, credential);
  if (kind == "client-secret" || (kind == "refresh-token" && credential.confidential)) {
    return ClientSecretCommands(credential, vault);
  }
  if (kind == "certificate" || kind == "key-vault-key") {
    return CertificateCommands(credential, vault, display_name);
  }
  return {};
}

std::string VaultCommands(const Config& config) {
  std::string text;
  for (const auto& [name, vault] : config.vaults) {
    if (vault.kind != kKeyVault) continue;
    text += "\n# key vault " + name + ": purser's own identity may use these, and nothing else\n";
    const std::string reader = Reader(config, vault);
    text += reader.empty()
                ? "reader=$PRINCIPAL\n"
                : "reader=$(az ad sp show --id \"" + reader + "\" --query id --output tsv)\n";
    text += "vault=$(az keyvault show --name " + VaultName(vault) + " --query id --output tsv)\n";
    for (const auto& [unused, credential] : config.credentials) {
      if (credential.vault == name) text += AssignmentsFor(credential);
    }
    if (config.seal.vault == name) text += SealCommands(vault, config.seal.key);
  }
  return text;
}

}  // namespace broker::policy
