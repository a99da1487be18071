#include "broker/policy/config_checks.h"

#include <algorithm>

#include "broker/policy/clouds.h"
#include "broker/policy/config_messages.h"
#include "broker/policy/config_values.h"
#include "broker/policy/entra_people.h"
#include "broker/policy/kinds.h"
#include "broker/policy/nearest.h"
#include "broker/policy/scopes.h"

namespace broker::policy {
namespace {

void CheckCloud(Draft* draft) {
  Tenant& tenant = draft->config.tenant;
  if (const Cloud* cloud = FindCloud(tenant.cloud)) {
    for (const char* key : {"tenant.authority", "tenant.graph", "tenant.vault_suffix"}) {
      if (!draft->IsWritten(key)) continue;
      draft->Fault(draft->PlaceOf(key), "cloud = \"" + tenant.cloud + "\" knows its own " +
                                            std::string(key).substr(7) +
                                            ": remove it, or write cloud = \"custom\"");
    }
    tenant.authority = cloud->authority;
    tenant.graph = cloud->graph;
    tenant.vault_suffix = cloud->vault_suffix;
    return;
  }
  if (tenant.cloud != "custom") return;
  for (const char* key : {"tenant.authority", "tenant.graph"}) {
    if (draft->IsWritten(key)) continue;
    draft->Fault(
        draft->PlaceOf("tenant.cloud"),
        "cloud = \"custom\" needs " + std::string(key).substr(7) + " = \"https://HOST\" beside it");
  }
}

bool IsCredentialFileName(const std::string& name) {
  return !name.empty() && name.size() <= 255 && name.front() != '.' &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f && c != '/'; });
}

void CheckSeal(Draft* draft) {
  const Seal& seal = draft->config.seal;
  const Place place = draft->PlaceOf("seal.path");
  const bool written = draft->IsWritten("seal.path");
  const bool vaulted = seal.kind == "azure-key-vault";
  for (const char* key : {"vault", "name"}) {
    const std::string path = std::string("seal.") + key;
    if (vaulted || seal.kind.empty() || !draft->IsWritten(path)) continue;
    draft->Fault(draft->PlaceOf(path), "kind = \"" + seal.kind + "\" has no " + key +
                                           ", only \"azure-key-vault\" has: remove it");
  }
  if ((vaulted || seal.kind == "passphrase") && written) {
    draft->Fault(place, "kind = \"" + seal.kind + "\" has no path: remove it");
  } else if (seal.kind == "file" && !(written && IsAbsolutePath(seal.path))) {
    draft->Fault(place,
                 "kind = \"file\" needs path = \"/…\", the key file's absolute path, such as "
                 "\"/var/lib/purser-key/kek\"");
  } else if (seal.kind == "systemd-credential" && !(written && IsCredentialFileName(seal.path))) {
    draft->Fault(place,
                 "kind = \"systemd-credential\" needs path = \"NAME\", as in the unit's "
                 "LoadCredentialEncrypted=NAME");
  }
}

// The Unix groups; those of Entra go to `people`.
std::vector<uint32_t> ResolveRole(const std::vector<std::string>& holders, const std::string& path,
                                  const Accounts& accounts, Draft* draft, EntraPeople* people) {
  std::vector<uint32_t> gids;
  for (size_t i = 0; i < holders.size(); ++i) {
    if (AddEntra(holders[i], people)) continue;
    const std::string name = holders[i].substr(holders[i].find(':') + 1);
    const Place place = draft->PlaceOf(path + "." + std::to_string(i));
    const auto number = ParseId(name);
    const auto gid = number ? number : accounts.GroupId(name);
    if (!gid) {
      draft->Fault(place, "this machine has no group \"" + name + "\": create it, or name another");
    } else if (IsNobody(*gid)) {
      draft->Fault(place, "every unmapped group looks like this one: name another");
    } else {
      gids.push_back(*gid);
    }
  }
  return gids;
}

// Shorter, people sign in all day; longer, who has left keeps a role for a working day.
constexpr std::chrono::minutes kShortestSession{5};
constexpr std::chrono::hours kLongestSession{12};

void CheckSignIn(Draft* draft) {
  const Admin& admin = draft->config.admin;
  if (admin.session < kShortestSession || admin.session > kLongestSession) {
    draft->Fault(draft->PlaceOf("admin.session"), "\"session\" must be from 5m to 12h");
  }
  // A value that does not read is a fault already.
  if (!admin.client_id.empty() || draft->IsWritten("admin.client_id")) return;
  constexpr const char* kMissing =
      ": write client_id = \"…\" in [admin], a public client registration of the tenant";
  if (admin.require_person) {
    draft->Fault(draft->PlaceOf("admin.require_person"),
                 std::string("\"require_person\" is true, and nobody can sign in") + kMissing);
  }
  const bool listed = SignsPeopleIn(admin.operator_entra) || SignsPeopleIn(admin.approver_entra) ||
                      SignsPeopleIn(admin.auditor_entra);
  if (listed) {
    draft->Fault(draft->PlaceOf("admin"),
                 std::string("[admin] names people of Entra, and nobody can sign in") + kMissing);
  }
}

// Nobody is there to be acted for when somebody is stopped.
void CheckUpstream(Draft* draft) {
  const std::string& name = draft->config.admin.upstream;
  if (name.empty()) return;
  const auto& credentials = draft->config.credentials;
  const auto found = credentials.find(name);
  if (found == credentials.end()) {
    draft->Fault(
        draft->PlaceOf("admin.upstream"),
        NoSuchMessage("credential", name, NamesOf(credentials), "add it, or name another"));
  } else if (found->second.kind == "webhook-url") {
    draft->Fault(draft->PlaceOf("admin.upstream"),
                 "credential " + name +
                     " is the address of a webhook and gets no tokens: name one that acts at "
                     "Microsoft Graph");
  } else if (SubjectOf(found->second) == Subject::kAssertedUser) {
    draft->Fault(draft->PlaceOf("admin.upstream"),
                 "credential " + name +
                     " acts for the users who ask: name one that acts by itself, or for a user "
                     "of its own");
  }
}

}  // namespace

void CanonicalizeScopes(const std::string& path, std::vector<std::string>* scopes, Draft* draft) {
  std::vector<std::string> canonical;
  for (size_t i = 0; i < scopes->size(); ++i) {
    const Place place = draft->PlaceOf(path + "." + std::to_string(i));
    const auto scope = CanonicalScope((*scopes)[i], draft->config.tenant.graph);
    if (!scope) {
      draft->Fault(place,
                   "this is no scope: write a permission name such as \"Mail.Read\" or a "
                   "full URI; .default and OpenID Connect's own scopes are not named here");
    } else if (ContainsIgnoringCase(canonical, *scope)) {
      draft->Fault(place, "\"" + *scope + "\" is listed already: keep one of the two");
    } else {
      draft->places[path + "." + std::to_string(canonical.size())] = place;
      canonical.push_back(*scope);
    }
  }
  *scopes = std::move(canonical);
}

void CheckInstance(const Accounts& accounts, Draft* draft) {
  for (const Section& section : Sections()) {
    const std::string name(section.name);
    if (!section.required || draft->IsWritten(name)) continue;
    draft->Fault(draft->PlaceOf(""), "the section [" + name + "] is missing: add it");
  }
  CheckCloud(draft);
  CheckSeal(draft);
  Admin& admin = draft->config.admin;
  admin.operator_gids =
      ResolveRole(admin.operators, "admin.operators", accounts, draft, &admin.operator_entra);
  admin.approver_gids =
      ResolveRole(admin.approvers, "admin.approvers", accounts, draft, &admin.approver_entra);
  admin.auditor_gids =
      ResolveRole(admin.auditors, "admin.auditors", accounts, draft, &admin.auditor_entra);
  CheckSignIn(draft);
  CheckUpstream(draft);
}

}  // namespace broker::policy
