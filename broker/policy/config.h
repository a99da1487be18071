// broker/policy/config.h: purser.toml and agents.d, parsed and validated as one whole.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/base/result.h"

namespace broker::policy {

/// Where something is written; line and column count from 1.
struct Place {
  std::string file;
  uint32_t line = 0;
  uint32_t column = 0;
};

struct Instance {
  std::string name;
};

struct Tenant {
  std::string id;         // GUID or domain
  std::string cloud;      // public | usgov | usgov-dod | china | custom
  std::string authority;  // "https://login.microsoftonline.com", no trailing slash
  std::string graph;      // "https://graph.microsoft.com", no trailing slash
  std::string
      vault_suffix;  // "vault.azure.net": what key vaults' hosts end in; custom: may be empty
};

struct Network {
  std::string proxy;    // "http://proxy.corp:3128" or empty
  std::string ca_file;  // PEM; empty: the system's
};

struct Paths {
  std::string state;
  std::string run;
};

struct Seal {
  std::string kind;   // file | passphrase | systemd-credential | azure-key-vault
  std::string path;   // kind file: the key's path; systemd-credential: the credential's name
  std::string vault;  // kind azure-key-vault: the [vault.NAME] whose key wraps purser's
  std::string key;    // `name`: what that key is called there
};

struct Hardening {
  bool strict = true;  // minimum = "strict" | "weak"
  bool allow_same_uid = false;
};

/// Where secrets come from besides purser's own store.
struct Vault {
  std::string name;
  std::string kind;  // azure-key-vault | mounted-files
  std::string url;   // azure-key-vault: "https://corp-agents.vault.azure.net", no trailing slash
  std::string auth;  // azure-key-vault: managed-identity | workload-identity | credential:NAME
  std::string client_id;   // workload-identity; managed-identity: the user-assigned one
  std::string token_file;  // workload-identity: where the platform writes OIDC tokens
  std::string path;        // mounted-files: the folder
  bool memory = false;     // use = "memory": a copy serves for `ttl`; "every-mint": none is kept
  std::chrono::seconds ttl{0};
  Place place;
};

struct Credential {
  std::string name;
  /// refresh-token | client-secret | certificate | key-vault-key | federated | managed-identity |
  /// agent-identity | on-behalf-of
  std::string kind;
  std::string client_id;
  bool confidential =
      false;         // refresh-token with a client secret of its own (`client_auth = "secret"`)
  std::string user;  // object id: refresh-token, agent-identity as its own user
  /// Another credential: the managed identity of a federated one, the blueprint of an agent
  /// identity, the application's own of on-behalf-of.
  std::string proof;
  std::string token_file;      // federated: where the platform writes OIDC tokens
  std::string source;          // managed-identity: imds | app-service | azure-arc
  bool user_assigned = false;  // managed-identity; named by client_id, unless one of these is set
  std::string object_id, resource_id;
  std::string endpoint;    // managed-identity: "http://…", without query
  std::string key_folder;  // azure-arc: where its agent puts keys
  std::string act;         // agent-identity: application | on-behalf-of | agent-user
  /// All that the registration is consented to. Canonical, as in Rule and `never`: short names for
  /// Microsoft Graph, full URIs for other resources (broker/policy/scopes.h).
  std::vector<std::string> scopes;
  std::string vault;                     // [vault.NAME]; empty: purser's own store
  std::string secret;                    // `name`: what it is called there
  std::string version;                   // azure-key-vault: pinned; empty: the newest
  std::chrono::seconds rotate_every{0};  // 0: only when an operator says so
  std::string rotate_with;  // another credential, whose rights change this one's registration
  Place place;
};

struct Limit {
  uint32_t count = 0;  // 0: none
  std::chrono::seconds per{0};
  bool operator==(const Limit&) const = default;
};

/// People as the tenant's directory names them: object ids, in lower case.
struct EntraPeople {
  std::vector<std::string> groups;  // written "entra-group:GUID"
  std::vector<std::string> users;   // written "entra-user:GUID"
};

/// Some group of it must be a yes-sayer's.
struct ApprovalGroups {
  std::vector<std::string> names;  // as written: "group:NAME"
  std::vector<uint32_t> gids;
  EntraPeople entra;
  bool requester = false;  // the person whom the request's user_assertion proves
};

/// What one approval takes and gives.
struct ApprovalTerms {
  std::vector<ApprovalGroups> by;     // each of them; none: every approver
  std::chrono::seconds expires{600};  // for people to decide
  std::chrono::seconds within{600};   // for the agent to use it, from the last yes on
  uint32_t uses = 1;
  uint32_t quorum = 1;  // how many different people
};

struct Rule {
  std::string name;
  std::vector<std::string> scopes;
  std::string credential;
  std::string decision;  // log | notify | approve
  std::string deliver;   // "token" in this version
  std::optional<Limit> limit;
  Limit per_task;                        // of what one claimed task asks for
  uint32_t concurrent = 0;               // tokens alive outside at a time; 0: any number
  std::chrono::seconds max_lifetime{0};  // of a token; 0: as long as Entra's policies let it live
  bool continuous_access = false;        // tokens that live for a day and can be revoked meanwhile
  bool approve_bearer = false;           // one yes is good for a whole token
  ApprovalGroups approval_by;            // decision "approve"; no name: every approver
  ApprovalTerms approval;                // its `by` is made of that for each request
  Place place;
};

/// All given selectors must hold. user or group is required.
struct Selectors {
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
  std::string user, group;  // as written: a name, or a number in decimal
  std::string exe;
  std::string exe_sha256;
  std::string systemd_unit;
  std::string cgroup;
  bool operator==(const Selectors&) const = default;
};

struct Agent {
  std::string name;
  Selectors selectors;
  Limit limit;
  Limit per_task;           // as in Rule
  uint32_t concurrent = 0;  // as in Rule
  std::vector<Rule> rules;
  Place place;
};

struct Admin {
  std::vector<std::string> operators, approvers, auditors;  // as written: "group:name"
  std::vector<uint32_t> operator_gids, approver_gids, auditor_gids;
  EntraPeople operator_entra, approver_entra, auditor_entra;  // of those who are signed in
  std::string client_id;  // the registration that people sign in to; empty: they cannot
  std::chrono::seconds session{3600};  // how long a sign-in holds at most
  bool require_person = false;         // approving and releasing need a sign-in; killing never does
  /// The user that purserd runs as. It can read the key, the store and every role's memory anyway:
  /// it holds each role, as root does. Never the users of the roles below root.
  uint32_t owner_uid = 0;
  bool two_person_release = false;
  /// The credential with which purser ends at Entra what is stopped here; empty: it does not.
  std::string upstream;
};

/// Who is told what waits for a person.
struct Notifier {
  std::string name;
  std::string kind;        // webhook | teams-chat
  std::string host;        // webhook: "https://…", the origin of its URL
  std::string credential;  // webhook: the whole URL, which is a secret; teams-chat: who writes
  std::string chat;        // teams-chat: its id
  bool replies = false;    // teams-chat: "yes CODE" of an approver decides
  bool notices = false;    // releases of rules with decision = "notify", too
  Place place;
};

struct Config {
  Instance instance;
  Tenant tenant;
  Network network;
  Paths paths;
  Seal seal;
  Hardening hardening;
  std::map<std::string, Vault> vaults;
  std::map<std::string, Credential> credentials;
  std::string writes;              // [policy] writes: a decision, or empty where absent
  std::vector<std::string> never;  // compared without regard to case
  std::map<std::string, Agent> agents;
  std::map<std::string, Notifier> notifiers;
  Admin admin;
  std::string sha256;  // of the whole set of files, hex: in every entry
};

/// One file of the set, in the order in which it is read.
struct SourceFile {
  std::string path;
  std::string text;
  bool operator==(const SourceFile&) const = default;
};

/// A fault with its place and what to write instead. Never quotes a value that could be a secret.
struct Diagnostic {
  Place place;
  std::string message;
};
/// "purser.toml:12:1: …"
std::string Format(const Diagnostic& diagnostic);

/// Looks users and groups up; by argument, so that parsing stays pure and tests need no accounts.
class Accounts {
 public:
  virtual ~Accounts() = default;
  [[nodiscard]] virtual std::optional<uint32_t> UserId(const std::string& name) const = 0;
  [[nodiscard]] virtual std::optional<uint32_t> GroupId(const std::string& name) const = 0;
  /// All groups of the user, primary included; empty for an unknown uid.
  [[nodiscard]] virtual std::vector<uint32_t> GroupsOf(uint32_t uid) const = 0;
};

}  // namespace broker::policy
