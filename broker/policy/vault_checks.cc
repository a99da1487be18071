#include <array>

#include "broker/policy/config_checks.h"
#include "broker/policy/config_messages.h"
#include "broker/policy/config_values.h"
#include "broker/policy/kinds.h"
#include "broker/policy/nearest.h"

namespace broker::policy {
namespace {

constexpr std::string_view kKeyVault = "azure-key-vault";
constexpr std::string_view kCredentialAuth = "credential:";
// Below, every mint fetches anyway; above, a secret that was disabled in the vault serves on for
// longer than a day's shift.
constexpr std::chrono::seconds kShortestTtl{10};
constexpr std::chrono::seconds kLongestTtl{86400};

// One [vault.NAME] against everything around it.
class VaultCheck {
 public:
  VaultCheck(Draft* draft, Vault* vault)
      : draft_(draft), vault_(vault), path_("vault." + vault->name) {}

  void Run() {
    if (vault_->kind == kKeyVault) {
      Need("url", "\"https://NAME." + Suffix() + "\"");
      Need("auth", "\"managed-identity\", \"workload-identity\" or \"credential:NAME\"");
      Refuse("path");
      CheckHost();
      CheckAuth();
    } else if (!vault_->kind.empty()) {
      Need("path", "\"/…\", the folder that the files are in");
      for (const char* key : {"url", "auth", "client_id", "token_file"}) Refuse(key);
    }
    CheckTtl();
  }

 private:
  [[nodiscard]] bool IsWritten(const char* key) const {
    return draft_->IsWritten(path_ + "." + key);
  }
  void Fault(const char* key, const std::string& message) {
    draft_->Fault(draft_->PlaceOf(path_ + "." + key), message);
  }
  void Need(const char* key, const std::string& example) {
    if (IsWritten(key)) return;
    Fault(key, "kind = \"" + vault_->kind + "\" needs " + key + " = " + example);
  }
  void Refuse(const char* key) {
    if (IsWritten(key)) Fault(key, "kind = \"" + vault_->kind + "\" has no " + key + ": remove it");
  }
  [[nodiscard]] std::string Suffix() const {
    const std::string& suffix = draft_->config.tenant.vault_suffix;
    return suffix.empty() ? "vault.example.com" : suffix;
  }

  // A host that is none of the cloud's vaults would receive a token for all of them.
  void CheckHost() {
    const Tenant& tenant = draft_->config.tenant;
    if (tenant.cloud == "custom") {
      if (!tenant.vault_suffix.empty()) return;
      draft_->Fault(draft_->PlaceOf("tenant.cloud"),
                    "cloud = \"custom\" with a key vault needs vault_suffix = \"HOST\" beside it, "
                    "such as \"vault.example.com\"");
      return;
    }
    if (vault_->url.empty() || tenant.vault_suffix.empty()) return;
    if (HostOf(vault_->url).ends_with("." + tenant.vault_suffix)) return;
    Fault("url", "cloud = \"" + tenant.cloud + "\" has its key vaults at https://NAME." +
                     tenant.vault_suffix + ": write that, or cloud = \"custom\"");
  }

  void CheckAuth() {
    const bool workload = vault_->auth == "workload-identity";
    if (workload && !IsWritten("client_id")) {
      Fault("client_id",
            "auth = \"workload-identity\" needs client_id = \"env:AZURE_CLIENT_ID\", or the GUID "
            "that the variable holds");
    }
    if (!workload && IsWritten("token_file")) {
      Fault("token_file", "only auth = \"workload-identity\" has a token_file: remove it");
    }
    if (workload && vault_->token_file.empty()) vault_->token_file = kWorkloadTokenFile;
    if (!vault_->auth.starts_with(kCredentialAuth)) return;
    if (IsWritten("client_id")) {
      Fault("client_id", "the credential that auth names has one: remove it here");
    }
    const std::string name = vault_->auth.substr(kCredentialAuth.size());
    const auto found = draft_->config.credentials.find(name);
    if (found == draft_->config.credentials.end()) {
      return Fault("auth", NoSuchMessage("credential", name, NamesOf(draft_->config.credentials),
                                         "add it, or name another"));
    }
    if (found->second.kind == "webhook-url") {
      return Fault("auth", "credential " + name +
                               " is the address of a webhook and gets no tokens: name one of an "
                               "application, or use \"managed-identity\"");
    }
    if (SubjectOf(found->second) != Subject::kApplication) {
      return Fault("auth", "credential " + name +
                               " is a person's: name one of an application, or use "
                               "\"managed-identity\"");
    }
    const std::string vaulted = InKeyVault(name);
    if (vaulted.empty()) return;
    const std::string which =
        vaulted == name ? " comes" : " is proved by credential " + vaulted + ", which comes";
    Fault("auth", "credential " + name + which +
                      " from a key vault itself: name one whose secret is in purser's own store or "
                      "in mounted files");
  }

  // The credential, or the one that proves it, that is in a key vault; empty: none is. What a vault
  // needs to let purser in cannot wait for a vault to let it in, nor for the store, which says
  // which version of a vault's key signs, and which a vault's key may open.
  [[nodiscard]] std::string InKeyVault(std::string name) const {
    constexpr int kMaxHops = 4;  // one that proves itself is another check's
    for (int hop = 0; hop < kMaxHops; ++hop) {
      const auto found = draft_->config.credentials.find(name);
      if (found == draft_->config.credentials.end()) return {};
      const auto vault = draft_->config.vaults.find(found->second.vault);
      if (vault != draft_->config.vaults.end() && vault->second.kind == kKeyVault) return name;
      name = found->second.proof;
    }
    return {};
  }

  void CheckTtl() {
    if (!vault_->memory) {
      if (IsWritten("ttl")) {
        Fault("ttl", "use = \"every-mint\" keeps nothing: remove ttl, or write use = \"memory\"");
      }
      return;
    }
    if (vault_->ttl >= kShortestTtl && vault_->ttl <= kLongestTtl) return;
    Fault("ttl", "\"ttl\" must be from 10s to 1d; for less, write use = \"every-mint\"");
  }

  Draft* draft_;
  Vault* vault_;
  std::string path_;
};

// What one credential says about its vault.
class VaultedCredentialCheck {
 public:
  VaultedCredentialCheck(Draft* draft, const Credential* credential)
      : draft_(draft), credential_(credential), path_("credential." + credential->name) {}

  void Run() {
    if (credential_->vault.empty()) return CheckUnvaulted();
    const auto vault = draft_->config.vaults.find(credential_->vault);
    if (vault == draft_->config.vaults.end()) {
      return Fault("vault",
                   NoSuchMessage("vault", credential_->vault, NamesOf(draft_->config.vaults),
                                 "add it, or remove vault to use purser's own store"));
    }
    if (!IsWritten("name") && !draft_->IsUnread(path_ + ".name")) {
      return Fault("name", "vault = \"" + credential_->vault +
                               "\" needs name = \"…\", what the secret is called there");
    }
    if (vault->second.kind == kKeyVault) {
      CheckKeyVault();
    } else {
      CheckMounted();
    }
  }

 private:
  [[nodiscard]] bool IsWritten(const char* key) const {
    return draft_->IsWritten(path_ + "." + key);
  }
  void Fault(const char* key, const std::string& message) {
    draft_->Fault(draft_->PlaceOf(path_ + "." + key), message);
  }

  void CheckUnvaulted() {
    for (const char* key : {"name", "version"}) {
      if (!IsWritten(key) || IsWritten("vault")) continue;
      Fault(key, std::string("purser's own store knows the secret by the credential's name: "
                             "remove ") +
                     key + ", or add vault = \"NAME\"");
    }
  }
  void CheckKeyVault() {
    if (!credential_->secret.empty() && !IsKeyVaultName(credential_->secret)) {
      Fault("name", "a Key Vault name has 1 to 127 of 0-9, a-z, A-Z and '-'");
    }
    if (credential_->confidential) {
      Fault("client_auth",
            "with a vault the refresh token alone is kept there, and the client's secret nowhere: "
            "use a public client, or remove vault to keep both in purser's own store");
    }
    if (credential_->kind == "refresh-token" && IsWritten("version")) {
      Fault("version", "a refresh token is replaced with each use: remove version");
    }
  }
  void CheckMounted() {
    if (IsWritten("version")) {
      Fault("version", "mounted files have no versions: remove version");
    }
    if (credential_->kind == "refresh-token") {
      Fault("vault",
            "a refresh token is replaced with each use, and mounted files cannot be written: use "
            "purser's own store or a key vault");
    }
  }

  Draft* draft_;
  const Credential* credential_;
  std::string path_;
};

// [seal] kind = "azure-key-vault" against the vault that it names.
class SealCheck {
 public:
  explicit SealCheck(Draft* draft) : draft_(draft), seal_(draft->config.seal) {}

  void Run() {
    if (seal_.kind != kKeyVault) return;
    Need("vault", "\"NAME\", the [vault.NAME] whose key wraps the store's");
    Need("name", "\"…\", what the key is called there");
    if (seal_.vault.empty()) return;
    const auto vault = draft_->config.vaults.find(seal_.vault);
    if (vault == draft_->config.vaults.end()) {
      return Fault("seal.vault", NoSuchMessage("vault", seal_.vault, NamesOf(draft_->config.vaults),
                                               "add it, or name another"));
    }
    if (vault->second.kind == kKeyVault) return CheckIdentity(vault->second);
    if (!vault->second.kind.empty()) {
      Fault("seal.vault", "only a vault of kind \"azure-key-vault\" wraps keys: name one");
    }
  }

 private:
  void Fault(const std::string& path, const std::string& message) {
    draft_->Fault(draft_->PlaceOf(path), message);
  }
  void Need(const std::string& key, const std::string& example) {
    const std::string path = "seal." + key;
    if (draft_->IsWritten(path)) return;
    Fault(path, "kind = \"azure-key-vault\" needs " + key + " = " + example);
  }

  // Who shows the vault who it is with a secret out of the store that this vault's key opens never
  // gets in.
  void CheckIdentity(const Vault& vault) {
    if (!vault.auth.starts_with(kCredentialAuth)) return;
    const std::string inside = KeptInStore(vault.auth.substr(kCredentialAuth.size()));
    if (inside.empty()) return;
    Fault("vault." + vault.name + ".auth",
          "the key of this vault opens purser's own store ([seal] vault), and in that store is the "
          "secret of credential " +
              inside +
              ": write \"managed-identity\" or \"workload-identity\", or keep that secret in "
              "mounted files");
  }

  // The credential, or the one that proves it, whose secret is in the store; empty: none is. A
  // credential proves others over few hops; one that proves itself is another check's.
  [[nodiscard]] std::string KeptInStore(std::string name) const {
    constexpr int kMaxHops = 4;
    for (int hop = 0; hop < kMaxHops; ++hop) {
      const auto found = draft_->config.credentials.find(name);
      if (found == draft_->config.credentials.end()) return {};
      const Credential& credential = found->second;
      const bool secret = credential.kind == "client-secret" || credential.kind == "certificate";
      if (secret && credential.vault.empty()) return name;
      name = credential.proof;
    }
    return {};
  }

  Draft* draft_;
  const Seal& seal_;
};

}  // namespace

void CheckVaults(Draft* draft) {
  SealCheck(draft).Run();
  for (auto& [name, vault] : draft->config.vaults) {
    VaultCheck(draft, &vault).Run();
  }
  for (const auto& [name, credential] : draft->config.credentials) {
    VaultedCredentialCheck(draft, &credential).Run();
  }
}

}  // namespace broker::policy
