#include <algorithm>

#include "broker/base/ascii.h"
#include "broker/policy/config_checks.h"
#include "broker/policy/config_messages.h"
#include "broker/policy/config_values.h"
#include "broker/policy/kinds.h"
#include "broker/policy/nearest.h"
#include "broker/policy/scopes.h"

namespace broker::policy {
namespace {

// The Arc agent's stand-in for IMDS.
constexpr const char* kArc = "http://127.0.0.1:40342/metadata/identity/oauth2/token";
// More often Entra would hold a heap of keys at once; less often than half the life of what purser
// makes (Rotation::kLife), one missed turn would be an outage.
constexpr std::chrono::hours kShortestTurn{1};
constexpr std::chrono::hours kLongestTurn{90 * 24};
constexpr const char* kArcKeys = "/var/opt/azcmagent/tokens";

// One [credential.NAME] against everything around it.
class CredentialCheck {
 public:
  CredentialCheck(Draft* draft, Credential* credential)
      : draft_(draft), credential_(credential), path_("credential." + credential->name) {}

  void Run() {
    const std::string& kind = credential_->kind;
    const bool webhook = kind == "webhook-url";
    if (!webhook && !IsWritten("client_id")) FaultNoClientId();
    if (kind.empty()) return;  // faulted where it stands
    CheckOwnKeys();
    if (webhook) return;
    if (kind == "refresh-token") NeedUser("the user whose token it is");
    if (kind == "key-vault-key") CheckKeyVaultKey();
    if (kind == "federated") CheckFederated();
    if (kind == "managed-identity") CheckManagedIdentity();
    if (kind == "agent-identity") CheckAgentIdentity();
    if (kind == "on-behalf-of") CheckOnBehalfOf();
    CheckRotation();
    CheckScopes();
  }

 private:
  [[nodiscard]] bool IsWritten(const std::string& key) const {
    return draft_->IsWritten(path_ + "." + key);
  }
  void Fault(const std::string& key, const std::string& message) {
    draft_->Fault(draft_->PlaceOf(path_ + "." + key), message);
  }
  void Need(const std::string& key, const std::string& example) {
    Fault(key, "kind = \"" + credential_->kind + "\" needs " + key + " = " + example);
  }
  void NeedUser(const std::string& whose) {
    if (!IsWritten("user")) Need("user", "\"…\", the object id of " + whose);
  }

  void CheckOwnKeys() {
    for (const Key& key : FindSection("credential").keys) {
      if (!IsWritten(std::string(key.name)) || TakesKey(credential_->kind, key.name)) continue;
      const std::string kinds = KindsOfKey(key.name);
      Fault(std::string(key.name), "kind = \"" + credential_->kind + "\" has no " +
                                       std::string(key.name) +
                                       (kinds.empty() ? "" : ", only " + kinds + " has") +
                                       ": remove " + std::string(key.name));
    }
  }

  void FaultNoClientId() {
    const Section& section = FindSection("credential");
    draft_->Fault(
        draft_->PlaceOf(path_),
        MissingKeyMessage(section, *std::ranges::find(section.keys, "client_id", &Key::name)));
  }

  void CheckKeyVaultKey() {
    if (credential_->vault.empty()) {
      return Need("vault", "\"NAME\", the [vault.NAME] of kind \"azure-key-vault\" that signs");
    }
    const auto vault = draft_->config.vaults.find(credential_->vault);
    if (vault == draft_->config.vaults.end() || vault->second.kind == "azure-key-vault") return;
    Fault("vault", "only a vault of kind \"azure-key-vault\" signs: name one");
  }

  void CheckFederated() {
    if (IsWritten("token_file") == IsWritten("proof")) {
      return Fault("token_file",
                   "kind = \"federated\" needs one of token_file = \"/…\", a file that the "
                   "platform writes OIDC tokens to, and proof = \"NAME\", a managed identity");
    }
    if (IsWritten("token_file")) return;
    const Credential* proof = FindProof();
    if (proof == nullptr || proof->kind.empty() || proof->kind == "managed-identity") return;
    Fault("proof", "only the token of a credential of kind \"managed-identity\" is an assertion");
  }

  void CheckManagedIdentity() {
    const std::string& source = credential_->source;
    if (source == "app-service" && !IsWritten("endpoint")) {
      Fault("endpoint",
            "source = \"app-service\" needs endpoint = \"env:IDENTITY_ENDPOINT\", or the URL that "
            "the variable holds");
    }
    if (credential_->endpoint.empty())
      credential_->endpoint = source == "azure-arc" ? kArc : kImdsEndpoint;
    if (source != "azure-arc" && IsWritten("key_folder")) {
      Fault("key_folder", "only source = \"azure-arc\" has a key_folder: remove it");
    }
    if (source == "azure-arc" && credential_->key_folder.empty()) {
      credential_->key_folder = kArcKeys;
    }
    if (source == "azure-arc" && credential_->user_assigned) {
      Fault("assigned", "Azure Arc knows the machine's own identity alone: remove assigned");
    }
    if (IsWritten("object_id") && IsWritten("resource_id")) {
      Fault("resource_id", "object_id names the identity already: keep one of the two");
    }
    for (const char* key : {"object_id", "resource_id"}) {
      if (!IsWritten(key) || credential_->user_assigned) continue;
      Fault(key, std::string(key) + " names a user-assigned identity: write assigned = \"user\"");
    }
  }

  void CheckAgentIdentity() {
    if (credential_->act == "agent-user") {
      NeedUser("the agent's own user account");
    } else if (IsWritten("user")) {
      Fault("user", "only act = \"agent-user\" has a user: remove user, or write that");
    }
    const Credential* blueprint = FindProof();
    if (blueprint == nullptr || blueprint->kind.empty()) return;
    if (!ProvesApplication(blueprint->kind)) return FaultProof();
    if (SameIgnoringCase(blueprint->client_id, credential_->client_id)) {
      Fault("proof", "an agent identity is not its own blueprint: client_id is the agent's");
    }
  }

  void CheckOnBehalfOf() {
    const Credential* app = FindProof();
    if (app == nullptr || app->kind.empty()) return;
    if (!ProvesApplication(app->kind)) return FaultProof();
    if (!SameIgnoringCase(app->client_id, credential_->client_id)) {
      Fault("proof", "credential " + app->name +
                         " is another application's: name one with the same client_id");
    }
  }

  void CheckRotation() {
    const auto every = credential_->rotate_every;
    const auto vault = draft_->config.vaults.find(credential_->vault);
    const bool mounted =
        vault != draft_->config.vaults.end() && vault->second.kind == "mounted-files";
    for (const char* key : {"rotate_every", "rotate_with"}) {
      if (!IsWritten(key)) continue;
      if (mounted) {
        Fault(key, std::string("whoever mounts the files of this vault rotates what is in them: "
                               "remove ") +
                       key);
      } else if (!credential_->version.empty()) {
        Fault(key, std::string("version pins the secret, so that nothing rotates it: remove ") +
                       key + " or version");
      }
    }
    if (IsWritten("rotate_with") && credential_->kind == "refresh-token" &&
        !credential_->confidential) {
      Fault("rotate_with",
            "only with client_auth = \"secret\" is there a client secret to rotate: remove it");
    }
    if (IsWritten("rotate_every") && !draft_->IsUnread(path_ + ".rotate_every") &&
        (every < kShortestTurn || every > kLongestTurn)) {
      Fault("rotate_every", "\"rotate_every\" must be from 1h to 90d");
    }
    if (credential_->rotate_with.empty()) return;
    const auto with = draft_->config.credentials.find(credential_->rotate_with);
    if (with == draft_->config.credentials.end()) {
      Fault("rotate_with", NoSuchMessage("credential", credential_->rotate_with,
                                         NamesOf(draft_->config.credentials), "add it"));
    } else if (const std::string& kind = with->second.kind;
               !kind.empty() && !ProvesApplication(kind) && kind != "managed-identity") {
      Fault("rotate_with", "name a credential of an application's own: kind " +
                               OneOf(ProvingKinds()) + " or \"managed-identity\"");
    }
  }

  void FaultProof() {
    Fault("proof", "name a credential of kind " + OneOf(ProvingKinds()) +
                       ": no other proves an application");
  }

  const Credential* FindProof() {
    if (!IsWritten("proof")) {
      Need("proof", credential_->kind == "agent-identity"
                        ? "\"NAME\", the [credential.NAME] of its blueprint"
                        : "\"NAME\", a [credential.NAME] of the same application");
      return nullptr;
    }
    const auto found = draft_->config.credentials.find(credential_->proof);
    if (found != draft_->config.credentials.end()) return &found->second;
    if (!credential_->proof.empty()) {
      Fault("proof", NoSuchMessage("credential", credential_->proof,
                                   NamesOf(draft_->config.credentials), "add it"));
    }
    return nullptr;
  }

  [[nodiscard]] bool IsProofOfAnother() const {
    return std::ranges::any_of(draft_->config.credentials, [&](const auto& one) {
      return one.second.proof == credential_->name;
    });
  }
  [[nodiscard]] bool IsRotatorOfAnother() const {
    return std::ranges::any_of(draft_->config.credentials, [&](const auto& one) {
      return one.second.rotate_with == credential_->name;
    });
  }
  [[nodiscard]] bool IsIdentityOfVault() const {
    return std::ranges::any_of(draft_->config.vaults, [&](const auto& one) {
      return one.second.auth == "credential:" + credential_->name;
    });
  }

  void CheckScopes() {
    if (draft_->IsUnread(path_ + ".scopes")) return;
    const bool written = IsWritten("scopes");
    if (written ? !credential_->scopes.empty()
                : IsProofOfAnother() || IsIdentityOfVault() || IsRotatorOfAnother()) {
      return;
    }
    Fault("scopes", written ? "list every scope that this registration is consented to"
                            : "this credential lacks \"scopes\": write scopes = [\"…\"], every "
                              "scope that this registration is consented to");
  }

  Draft* draft_;
  Credential* credential_;
  std::string path_;
};

}  // namespace

void CheckCredentials(Draft* draft) {
  CanonicalizeScopes("policy.never", &draft->config.never, draft);
  for (auto& [name, credential] : draft->config.credentials) {
    CredentialCheck(draft, &credential).Run();
    CanonicalizeScopes("credential." + name + ".scopes", &credential.scopes, draft);
  }
}

}  // namespace broker::policy
