#include "broker/policy/registration_commands.h"

#include <algorithm>
#include <set>

#include "broker/policy/credential_commands.h"
#include "broker/policy/registrations.h"
#include "broker/policy/scopes.h"

namespace broker::policy {
namespace {

// What the script begins with. Microsoft Graph's application id is the same in every cloud.
constexpr std::string_view kPreamble = R"(set -eu
graph=00000003-0000-0000-c000-000000000000  # Microsoft Graph

# RESOURCE appRoles|oauth2PermissionScopes NAME: the permission's id, as the tenant knows it.
permission() {
  found=$(az ad sp show --id "$1" --query "$2[?value=='$3'].id" --output tsv)
  if [ -z "$found" ]; then echo "$1 has no permission $3 in $2" >&2; return 1; fi
  echo "$found"
}
)";

struct Permission {
  std::string api;   // a shell word: its resource
  std::string name;  // "Mail.Read"
};

bool IsBlueprint(const Config& config, const Registration& registration) {
  return registration.scopes.empty() &&
         std::ranges::any_of(config.credentials, [&](const auto& other) {
           return other.second.kind == "agent-identity" &&
                  other.second.proof == registration.written->name;
         });
}

// An identity that is no app registration.
bool IsIdentity(const Credential& credential) {
  return credential.kind == "managed-identity" || credential.kind == "agent-identity";
}

// Whether the credential is to become several.
bool IsSplit(const Registration& registration) {
  return registration.credential != registration.written->name;
}

// One registration's part of the script.
class Part {
 public:
  Part(const Config& config, const Registration& registration)
      : config_(config),
        registration_(registration),
        credential_(*registration.written),
        display_name_("purser-" + config.instance.name + "-" + registration.credential) {
    for (const std::string& scope : registration.scopes) {
      const std::string resource = ResourceOf(scope, config.tenant.graph);
      const bool graph = resource == config.tenant.graph;
      permissions_[graph ? "\"$graph\"" : ShellWord(resource)].push_back(
          graph ? scope : scope.substr(resource.size() + 1));
    }
    // What `purser login` asks for besides.
    if (credential_.kind == "refresh-token") {
      permissions_["\"$graph\""].emplace_back("offline_access");
    }
  }

  std::string Text() const {
    std::string text = "\n" + Heading();
    if (IsIdentity(credential_)) {
      text += Existing();
      for (const auto& [api, names] : permissions_) text += Assign(api, names);
    } else if (IsBlueprint(config_, registration_)) {
      text +=
          "# A blueprint is made in the Entra admin center or with Graph, not with az ad app.\n"
          "app=" +
          GivenId(credential_) + "\n";
    } else {
      text += Create();
      for (const auto& [api, names] : permissions_) text += Declare(api, names);
      if (!permissions_.empty() && !IsDelegated(credential_)) {
        text += "az ad app permission admin-consent --id \"$app\"\n";
      }
    }
    text += TrustCommands(config_, Proof());
    if (ShowsAVault()) text += VariableOf(credential_.name) + "=$app\n";
    return text + Result();
  }

 private:
  [[nodiscard]] bool ShowsAVault() const {
    return std::ranges::any_of(
        config_.vaults, [&](const auto& vault) { return ShowsVault(vault.second, credential_); });
  }

  // What proves the application: on-behalf-of has a credential beside it for that.
  [[nodiscard]] const Credential& Proof() const {
    if (credential_.kind != "on-behalf-of") return credential_;
    const auto found = config_.credentials.find(credential_.proof);
    return found == config_.credentials.end() ? credential_ : found->second;
  }

  [[nodiscard]] std::string Heading() const {
    std::string text = "# " + registration_.credential + " (" + credential_.kind + "): ";
    text += registration_.scopes.empty() ? "no permission in Entra"
                                         : JoinNames(registration_.scopes, ", ");
    if (!registration_.agents.empty()) {
      text += registration_.agents.size() > 1 ? "; agents " : "; agent ";
      text += JoinNames(registration_.agents, ", ");
    }
    return text + "\n";
  }

  [[nodiscard]] std::string Create() const {
    std::string text = "app=$(az ad app create --display-name " + display_name_ +
                       " --sign-in-audience AzureADMyOrg";
    // Device code is a public client's flow; a login by browser comes back to this machine.
    if (credential_.kind == "refresh-token") {
      text += " --is-fallback-public-client true " + RedirectUriOption(credential_);
    }
    text += " --query appId --output tsv)\naz ad sp create --id \"$app\" --output none\n";
    if (credential_.kind == "on-behalf-of") {
      text +=
          "az ad app update --id \"$app\" --identifier-uris \"api://$app\"\n"
          "# Under \"Expose an API\" it also needs a scope, which its callers ask for.\n";
    }
    return text;
  }

  // Declares the permissions; those of users are consented to at once.
  [[nodiscard]] std::string Declare(const std::string& api,
                                    const std::vector<std::string>& names) const {
    const bool delegated = IsDelegated(credential_);
    std::string text = "api=$(az ad sp show --id " + api + " --query appId --output tsv)\n";
    for (const std::string& name : names) {
      text += Lookup(api, name) +
              "az ad app permission add --id \"$app\" --api \"$api\" --api-permissions \"$id=" +
              (delegated ? "Scope" : "Role") + "\"\n";
    }
    if (!delegated) return text;
    text += "az ad app permission grant --id \"$app\" --api \"$api\" --scope " +
            ShellWord(JoinNames(names, " "));
    text += credential_.kind == "on-behalf-of"
                ? " --consent-type AllPrincipals"
                : " --consent-type Principal --principal-id " + credential_.user;
    return text + " --output none\n";
  }

  [[nodiscard]] std::string Lookup(const std::string& api, const std::string& name) const {
    return "id=$(permission " + api +
           (IsDelegated(credential_) ? " oauth2PermissionScopes " : " appRoles ") +
           ShellWord(name) + ")\n";
  }

  // Identities that are no app registrations: permissions are assigned to them, one by one.
  [[nodiscard]] std::string Existing() const {
    std::string text = credential_.kind == "agent-identity"
                           ? "# An agent identity is made from its blueprint, credential " +
                                 credential_.proof + ", not with az ad app.\n"
                           : std::string();
    text += IsSplit(registration_)
                ? "# It shares an identity with others now: it needs one of its own.\napp=$" +
                      VariableOf(registration_.credential) + "\n"
                : "app=" + GivenId(credential_) + "\n";
    return text + "principal=$(az ad sp show --id \"$app\" --query id --output tsv)\n";
  }

  [[nodiscard]] std::string Assign(const std::string& api,
                                   const std::vector<std::string>& names) const {
    std::string text = "api=$(az ad sp show --id " + api + " --query id --output tsv)\n";
    if (IsDelegated(credential_)) {
      const bool one = !credential_.user.empty();
      return text +
             Post("oauth2PermissionGrants",
                  std::string(R"({\"clientId\":\"$principal\",\"consentType\":)") +
                      (one ? R"(\"Principal\",\"principalId\":\")" + credential_.user + R"(\",)"
                           : std::string(R"(\"AllPrincipals\",)")) +
                      R"(\"resourceId\":\"$api\",\"scope\":\")" + "$scopes" + R"(\"})",
                  "scopes=" + ShellWord(JoinNames(names, " ")) + "\n");
    }
    for (const std::string& name : names) {
      text +=
          Post("servicePrincipals/$principal/appRoleAssignments",
               R"({\"principalId\":\"$principal\",\"resourceId\":\"$api\",\"appRoleId\":\"$id\"})",
               Lookup(api, name));
    }
    return text;
  }

  [[nodiscard]] std::string Post(const std::string& path, const std::string& body,
                                 const std::string& before) const {
    return before + "az rest --method POST --output none --url \"" + config_.tenant.graph +
           "/v1.0/" + path + "\" \\\n  --body \"" + body + "\"\n";
  }

  // What the script prints for the configuration, and what is left to do by hand.
  [[nodiscard]] std::string Result() const {
    std::string text = "cat << END\n" + Table(registration_.credential);
    if (!registration_.scopes.empty()) {
      text += "scopes = [\"" + HereText(JoinNames(registration_.scopes, "\", \"")) + "\"]\n";
    }
    Credential proof = Proof();
    if (proof.name == credential_.name) {
      proof.name = registration_.credential;
    } else {
      text += Table(proof.name);
    }
    text += SecretCommands(config_, proof, display_name_);
    if (credential_.kind == "refresh-token") {
      text += "# purser login " + registration_.credential + "\n";
    }
    return text + "END\n";
  }

  static std::string Table(const std::string& credential) {
    return "[credential." + credential + "]\nclient_id = \"$app\"\n";
  }

  const Config& config_;
  const Registration& registration_;
  const Credential& credential_;
  std::string display_name_;
  std::map<std::string, std::vector<std::string>> permissions_;  // by resource, a shell word
};

// Which cloud `az` has to be set to first.
std::string CloudLine(const std::string& cloud) {
  if (cloud == "china") return "# az cloud set --name AzureChinaCloud\n";
  return cloud.starts_with("usgov") ? "# az cloud set --name AzureUSGovernment\n" : "";
}

// What is made elsewhere and has no client id in the configuration yet: names of credentials.
std::set<std::string> Unnamed(const Config& config) {
  std::set<std::string> names;
  for (const auto& [name, credential] : config.credentials) {
    if (credential.kind == "managed-identity" && IsYetToBeMade(credential)) names.insert(name);
  }
  for (const Registration& one : DeriveRegistrations(config)) {
    const bool elsewhere = IsIdentity(*one.written) || IsBlueprint(config, one);
    if (!elsewhere || (!IsSplit(one) && !IsYetToBeMade(*one.written))) continue;
    if (IsSplit(one)) names.erase(one.written->name);
    names.insert(one.credential);
  }
  return names;
}

// What only the platform knows, asked for before anything is made.
std::string Questions(const Config& config) {
  std::string text;
  for (const std::string& name : Unnamed(config)) {
    text += ": \"${" + VariableOf(name) + ":?the client id of " + name +
            "; by its principal id: az ad sp show --id PRINCIPAL --query appId}\"\n";
  }
  const auto file = std::ranges::find_if(
      config.credentials, [](const auto& one) { return !one.second.token_file.empty(); });
  if (file != config.credentials.end()) {
    text += ": \"${ISSUER:?the OIDC issuer of the token file of " + file->first +
            "; of AKS: az aks show --query oidcIssuerProfile.issuerUrl}\"\n"
            ": \"${SUBJECT:?whom that token names; in Kubernetes: "
            "system:serviceaccount:NAMESPACE:NAME}\"\n";
  }
  const bool own = std::ranges::any_of(config.vaults, [](const auto& one) {
    return one.second.auth == "managed-identity" && one.second.client_id.empty();
  });
  if (own) {
    text +=
        ": \"${PRINCIPAL:?the principal id of the identity of this machine; of a VM: az vm "
        "identity "
        "show --query principalId}\"\n";
  }
  return text.empty() ? text : "\n" + text;
}

}  // namespace

std::string RegistrationCommands(const Config& config) {
  std::string text =
      "#!/bin/sh\n# What Entra needs for instance " + config.instance.name +
      ": a registration for each set of scopes, consented to exactly that.\n# Read it, then run it "
      "after `az login --tenant " +
      config.tenant.id +
      "`, as somebody who may register applications\n# and consent to their permissions. It makes "
      "new registrations each time it runs.\n" +
      CloudLine(config.tenant.cloud);
  text.append(kPreamble);
  text += Questions(config);
  for (const Registration& one : DeriveRegistrations(config)) text += Part(config, one).Text();
  return text + VaultCommands(config);
}

}  // namespace broker::policy
