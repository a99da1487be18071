#include "broker/policy/config_keys.h"

#include <algorithm>
#include <array>

#include "broker/base/ascii.h"
#include "broker/base/local_url.h"
#include "broker/policy/config_checks.h"
#include "broker/policy/config_values.h"

namespace broker::policy {
namespace {

using std::string_view;
using Text = std::string&;
using List = std::vector<std::string>&;

constexpr std::array<string_view, 5> kCloudWords = {"public", "usgov", "usgov-dod", "china",
                                                    "custom"};
constexpr std::array<string_view, 4> kSealKinds = {"file", "passphrase", "systemd-credential",
                                                   "azure-key-vault"};
constexpr std::array<string_view, 2> kMinimum = {"strict", "weak"};
constexpr std::array<string_view, 9> kKinds = {
    "refresh-token",    "client-secret",  "certificate",  "key-vault-key", "federated",
    "managed-identity", "agent-identity", "on-behalf-of", "webhook-url"};
constexpr std::array<string_view, 3> kSources = {"imds", "app-service", "azure-arc"};
constexpr std::array<string_view, 2> kAssigned = {"user", "system"};
constexpr std::array<string_view, 3> kActs = {"application", "on-behalf-of", "agent-user"};
constexpr std::array<string_view, 2> kVaultKinds = {"azure-key-vault", "mounted-files"};
constexpr std::array<string_view, 2> kAuthWords = {"managed-identity", "workload-identity"};
constexpr std::array<string_view, 2> kUse = {"memory", "every-mint"};
constexpr std::array<string_view, 2> kClientAuth = {"secret", "none"};
constexpr std::array<string_view, 2> kNotifierKinds = {"webhook", "teams-chat"};
constexpr std::array<string_view, 3> kDecisions = {"log", "notify", "approve"};
constexpr std::array<string_view, 1> kDeliver = {"token"};
constexpr std::array<string_view, 1> kDeliverLater = {"call"};

constexpr string_view kNameWants =
    "1 to 64 of a-z, 0-9 and '-', not starting with '-', such as \"helpdesk\"";
constexpr string_view kScopeWants =
    "a permission name such as \"Mail.Read\", or a full URI for another resource than Graph";
constexpr string_view kLimitWants =
    "a count per second, minute, hour or day such as \"600/hour\", or \"none\"";
constexpr string_view kDurationWants = "a duration such as \"10m\" or \"2h\", from 5s to 24h";
constexpr string_view kGroupWants =
    "\"group:NAME\" for a Unix group, \"entra-group:GUID\" or \"entra-user:GUID\" for people who "
    "sign in";
constexpr string_view kApproverWants =
    "\"group:NAME\", \"entra-group:GUID\" or \"entra-user:GUID\" as in [admin] approvers, or "
    "\"requester\"";

// Whoever the requester is at a request: no holder of a role, so that only `by` takes it.
bool IsApprover(string_view text) { return text == kRequester || IsRoleHolder(text); }

// clang-format off
constexpr auto kInstance = std::to_array<Key>({
    {.name = "name", .slot = +[](Target& t) -> Text { return t.config->instance.name; }, .wants = kNameWants,
     .doc = "This instance's name, in every ledger entry.", .required = true, .check = IsName, .from_env = true},
});

constexpr auto kTenant = std::to_array<Key>({
    {.name = "id", .slot = +[](Target& t) -> Text { return t.config->tenant.id; }, .wants = "the tenant's GUID or one of its domains, such as \"contoso.onmicrosoft.com\"",
     .doc = "The one Entra tenant that this instance serves.", .required = true, .check = IsTenant, .from_env = true},
    {.name = "cloud", .slot = +[](Target& t) -> Text { return t.config->tenant.cloud; }, .wants = "the name of a Microsoft cloud",
     .doc = "Which cloud the tenant lives in; custom needs authority and graph.", .fallback = "public", .words = kCloudWords},
    {.name = "authority", .slot = +[](Target& t) -> Text { return t.config->tenant.authority; }, .wants = "an https origin such as \"https://login.example.com\", without a path",
     .doc = "Where tokens come from, with cloud = \"custom\" only.", .check = IsHttpsOrigin, .from_env = true},
    {.name = "graph", .slot = +[](Target& t) -> Text { return t.config->tenant.graph; }, .wants = "an https origin such as \"https://graph.example.com\", without a path",
     .doc = "The resource that short permission names mean, with cloud = \"custom\" only.", .check = IsHttpsOrigin, .from_env = true},
    {.name = "vault_suffix", .slot = +[](Target& t) -> Text { return t.config->tenant.vault_suffix; }, .wants = "a host name such as \"vault.example.com\"",
     .doc = "What the hosts of key vaults end in, and with https:// before it the resource that tokens for them name; with cloud = \"custom\" only.", .check = IsVaultSuffix, .from_env = true},
});

constexpr auto kNetwork = std::to_array<Key>({
    {.name = "proxy", .slot = +[](Target& t) -> Text { return t.config->network.proxy; }, .wants = "\"http://HOST:PORT\" without a user (TLS to Entra goes through it end to end)",
     .doc = "The proxy that the dialer connects through; nothing is taken from https_proxy.", .check = IsProxyUrl, .from_env = true},
    {.name = "ca_file", .slot = +[](Target& t) -> Text { return t.config->network.ca_file; }, .wants = "an absolute path of a PEM file",
     .doc = "Certificate authorities to trust instead of the system's.", .check = IsAbsolutePath, .from_env = true},
});

constexpr auto kPaths = std::to_array<Key>({
    {.name = "state", .slot = +[](Target& t) -> Text { return t.config->paths.state; }, .wants = "an absolute path of a folder, without a final '/'",
     .doc = "Holds store.db and ledger/.", .fallback = "/var/lib/purser", .check = IsAbsolutePath, .from_env = true},
    {.name = "run", .slot = +[](Target& t) -> Text { return t.config->paths.run; }, .wants = "an absolute path of a folder, without a final '/'",
     .doc = "Holds the sockets: agents/NAME/sock and admin/sock.", .fallback = "/run/purser", .check = IsAbsolutePath, .from_env = true},
});

constexpr auto kSeal = std::to_array<Key>({
    {.name = "kind", .slot = +[](Target& t) -> Text { return t.config->seal.kind; }, .wants = "where the key-encryption key comes from",
     .doc = "What opens the store of secrets.", .required = true, .words = kSealKinds},
    {.name = "path", .slot = +[](Target& t) -> Text { return t.config->seal.path; }, .wants = "the key file's absolute path (kind \"file\") or the credential's name (kind \"systemd-credential\")",
     .doc = "Where the key is; kinds \"passphrase\" and \"azure-key-vault\" have none.", .from_env = true},
    {.name = "vault", .slot = +[](Target& t) -> Text { return t.config->seal.vault; }, .wants = "NAME of a [vault.NAME]",
     .doc = "The key vault whose key wraps the key-encryption key, with kind = \"azure-key-vault\" only.", .check = IsReference},
    {.name = "name", .slot = +[](Target& t) -> Text { return t.config->seal.key; }, .wants = "what the vault calls the key: 1 to 127 of 0-9, a-z, A-Z and '-'",
     .doc = "The RSA key that wraps, with kind = \"azure-key-vault\" only; the newest version does, and each unwraps what it wrapped.", .check = IsKeyVaultName, .from_env = true},
});

constexpr auto kHardening = std::to_array<Key>({
    {.name = "minimum", .slot = +[](Target& t) -> bool& { return t.config->hardening.strict; }, .wants = "how much separation purser insists on",
     .doc = "strict: purser refuses to start if a role could reach what it must not; weak shows in whoami, doctor and daemon.started.", .fallback = "strict", .words = kMinimum},
    {.name = "allow_same_uid", .slot = +[](Target& t) -> bool& { return t.config->hardening.allow_same_uid; }, .wants = "true or false, without quotes",
     .doc = "Lets an agent run as purser's own user, for trying things out.", .fallback = "false"},
});

constexpr auto kVault = std::to_array<Key>({
    {.name = "kind", .slot = +[](Target& t) -> Text { return t.vault->kind; }, .wants = "what kind of vault this is",
     .doc = "azure-key-vault: fetched over the network; mounted-files: files that Kubernetes or systemd puts into a folder.", .required = true, .words = kVaultKinds},
    {.name = "url", .slot = +[](Target& t) -> Text { return t.vault->url; }, .wants = "the vault's https origin such as \"https://corp-agents.vault.azure.net\", without a path",
     .doc = "Where the key vault is, with kind = \"azure-key-vault\" only.", .check = IsHttpsOrigin, .from_env = true},
    {.name = "auth", .slot = +[](Target& t) -> Text { return t.vault->auth; }, .wants = "\"managed-identity\", \"workload-identity\" or \"credential:NAME\"",
     .doc = "How purser shows the key vault who it is.", .likely = kAuthWords, .check = IsVaultAuth},
    {.name = "client_id", .slot = +[](Target& t) -> Text { return t.vault->client_id; }, .wants = "the identity's client id, a GUID, or \"env:AZURE_CLIENT_ID\"",
     .doc = "Of the registration with auth = \"workload-identity\"; of a user-assigned identity with auth = \"managed-identity\".", .check = IsGuid, .from_env = true},
    {.name = "token_file", .slot = +[](Target& t) -> Text { return t.vault->token_file; }, .wants = "an absolute path of a file, or \"env:AZURE_FEDERATED_TOKEN_FILE\"",
     .doc = "Where the platform writes OIDC tokens, read again for each request, with auth = \"workload-identity\" only; AKS's place where absent.", .check = IsAbsolutePath, .from_env = true},
    {.name = "path", .slot = +[](Target& t) -> Text { return t.vault->path; }, .wants = "an absolute path of a folder, without a final '/', or \"env:CREDENTIALS_DIRECTORY\"",
     .doc = "The folder that the files are in, with kind = \"mounted-files\" only.", .check = IsAbsolutePath, .from_env = true},
    {.name = "use", .slot = +[](Target& t) -> bool& { return t.vault->memory; }, .wants = "how long a fetched secret serves",
     .doc = "every-mint: each secret is fetched at the moment of use; memory: a locked copy serves for ttl, and is fetched again when Entra refuses it.", .fallback = "every-mint", .words = kUse},
    {.name = "ttl", .slot = +[](Target& t) -> std::chrono::seconds& { return t.vault->ttl; }, .wants = "a duration such as \"10m\" or \"8h\", from 10s to 1d",
     .doc = "How long a copy serves, with use = \"memory\" only: so long a secret that was disabled in the vault works on.", .fallback = "1h"},
});

constexpr auto kCredential = std::to_array<Key>({
    {.name = "kind", .slot = +[](Target& t) -> Text { return t.credential->kind; }, .wants = "how tokens are obtained with it",
     .doc = "How tokens are obtained with it, or \"webhook-url\", the address that a [notify.NAME] posts to; a secret goes into the store with `purser login` or `purser secret set`.", .required = true, .words = kKinds},
    {.name = "client_id", .slot = +[](Target& t) -> Text { return t.credential->client_id; }, .wants = "the registration's application (client) id, a GUID",
     .doc = "The application (client) id of the registration, agent identity or managed identity: tokens must be its. Every kind but \"webhook-url\" has one.", .check = IsGuid, .from_env = true},
    {.name = "user", .slot = +[](Target& t) -> Text { return t.credential->user; }, .wants = "the user's object id in Entra, a GUID",
     .doc = "Whose tokens they are, with kind = \"refresh-token\" and act = \"agent-user\" only; another person's are refused.", .check = IsGuid, .from_env = true},
    {.name = "proof", .slot = +[](Target& t) -> Text { return t.credential->proof; }, .wants = "the name of a [credential.NAME]",
     .doc = "The credential that proves it: of a federated one the managed identity, of an agent identity its blueprint, of on-behalf-of the application's own.", .check = IsReference},
    {.name = "token_file", .slot = +[](Target& t) -> Text { return t.credential->token_file; }, .wants = "an absolute path of a file, or \"env:AZURE_FEDERATED_TOKEN_FILE\"",
     .doc = "Where the platform writes OIDC tokens, read again for each request, with kind = \"federated\" only.", .check = IsAbsolutePath, .from_env = true},
    {.name = "act", .slot = +[](Target& t) -> Text { return t.credential->act; }, .wants = "as whom the agent identity acts",
     .doc = "application: as itself; on-behalf-of: for the user whose token the request brings; agent-user: as its own user account. With kind = \"agent-identity\" only.", .fallback = "application", .words = kActs},
    {.name = "source", .slot = +[](Target& t) -> Text { return t.credential->source; }, .wants = "which endpoint gives the managed identity's tokens",
     .doc = "The machine's endpoint, with kind = \"managed-identity\" only.", .fallback = "imds", .words = kSources},
    {.name = "assigned", .slot = +[](Target& t) -> bool& { return t.credential->user_assigned; }, .wants = "which of the machine's identities it is",
     .doc = "system: the machine's own; user: the one that client_id names, or object_id or resource_id. With kind = \"managed-identity\" only.", .fallback = "system", .words = kAssigned},
    {.name = "object_id", .slot = +[](Target& t) -> Text { return t.credential->object_id; }, .wants = "the object id of a user-assigned identity, a GUID",
     .doc = "Names a user-assigned identity to an endpoint that does not take client_id.", .check = IsGuid, .from_env = true},
    {.name = "resource_id", .slot = +[](Target& t) -> Text { return t.credential->resource_id; }, .wants = "the Azure resource id of a user-assigned identity, \"/subscriptions/…\"",
     .doc = "Names a user-assigned identity to an endpoint that does not take client_id.", .check = IsResourceId, .from_env = true},
    {.name = "endpoint", .slot = +[](Target& t) -> Text { return t.credential->endpoint; }, .wants = "an http URL of this machine or its link, without a query, such as \"http://127.0.0.1:41741/msi/token\"",
     .doc = "Where the managed identity's tokens come from; absent: where IMDS or the Arc agent listens.", .check = IsLocalHttpUrl, .from_env = true},
    {.name = "key_folder", .slot = +[](Target& t) -> Text { return t.credential->key_folder; }, .wants = "an absolute path of a folder, without a final '/'",
     .doc = "The only folder that Azure Arc's challenge may name a key in; absent: the Arc agent's own.", .check = IsAbsolutePath},
    {.name = "client_auth", .slot = +[](Target& t) -> bool& { return t.credential->confidential; }, .wants = "how the registration proves itself when it renews",
     .doc = "secret: a confidential client with a client secret of its own; with kind = \"refresh-token\" only.", .fallback = "none", .words = kClientAuth},
    {.name = "scopes", .slot = +[](Target& t) -> List { return t.credential->scopes; }, .wants = kScopeWants,
     .doc = "All that this registration is consented to, and no more; required unless it is but the proof of another, a vault's identity, or what rotates another."},
    {.name = "vault", .slot = +[](Target& t) -> Text { return t.credential->vault; }, .wants = "NAME of a [vault.NAME]",
     .doc = "Where the secret comes from; absent: purser's own store.", .check = IsReference},
    {.name = "name", .slot = +[](Target& t) -> Text { return t.credential->secret; }, .wants = "what the vault calls the secret: a Key Vault name, or a file's name",
     .doc = "What the vault calls the secret, certificate or file.", .check = IsSecretName},
    {.name = "version", .slot = +[](Target& t) -> Text { return t.credential->version; }, .wants = "a Key Vault version, 32 hexadecimal digits",
     .doc = "The one version to use; absent: the newest, or of a key that purser has rotated the one that it rotated to.", .check = IsKeyVaultVersion},
    {.name = "rotate_every", .slot = +[](Target& t) -> std::chrono::seconds& { return t.credential->rotate_every; }, .wants = "a duration such as \"30d\", from 1h to 90d",
     .doc = "How often purser rotates it by itself, up to a tenth earlier each time; absent: only with purser rotate."},
    {.name = "rotate_with", .slot = +[](Target& t) -> Text { return t.credential->rotate_with; }, .wants = "the name of a [credential.NAME]",
     .doc = "The credential whose permissions in Microsoft Graph change this one's registration; absent: its own.", .check = IsReference},
});

constexpr auto kPolicy = std::to_array<Key>({
    {.name = "writes", .slot = +[](Target& t) -> Text { return t.config->writes; }, .wants = "the decision of rules that grant writing scopes and name none",
     .doc = "The decision of rules that grant writing scopes and name none; absent: such rules must name one.", .words = kDecisions},
    {.name = "never", .slot = +[](Target& t) -> List { return t.config->never; }, .wants = kScopeWants,
     .doc = "Scopes that no rule may grant, whatever it says."},
});

constexpr auto kAgent = std::to_array<Key>({
    {.name = "user", .slot = +[](Target& t) -> Text { return t.agent->selectors.user; }, .wants = "the name or number of a user of this machine",
     .doc = "The user that the agent runs as; user or group is required.", .check = IsAccount, .number = true},
    {.name = "group", .slot = +[](Target& t) -> Text { return t.agent->selectors.group; }, .wants = "the name or number of a group of this machine",
     .doc = "A group of the agent's process, primary or supplementary.", .check = IsAccount, .number = true},
    {.name = "cgroup", .slot = +[](Target& t) -> Text { return t.agent->selectors.cgroup; }, .wants = "an absolute cgroup path such as \"/kubepods/pod1\"; it covers what lies below",
     .doc = "The control group that the process is in.", .check = IsAbsolutePath},
    {.name = "systemd_unit", .slot = +[](Target& t) -> Text { return t.agent->selectors.systemd_unit; }, .wants = "a system unit such as \"helpdesk.service\"",
     .doc = "The system unit that the process belongs to; a user's own units never count.", .check = IsSystemUnit},
    {.name = "exe", .slot = +[](Target& t) -> Text { return t.agent->selectors.exe; }, .wants = "an absolute path of a program",
     .doc = "The program that the process runs; catches accidents, not attackers.", .check = IsAbsolutePath},
    {.name = "exe_sha256", .slot = +[](Target& t) -> Text { return t.agent->selectors.exe_sha256; }, .wants = "64 lower-case hex digits, as sha256sum prints them",
     .doc = "The digest of a root-owned program; catches accidents, not attackers.", .check = IsSha256},
    {.name = "limit", .slot = +[](Target& t) -> Limit& { return t.agent->limit; }, .wants = kLimitWants,
     .doc = "How many tokens this agent may be given in all.", .fallback = kDefaultAgentLimit},
    {.name = "per_task", .slot = +[](Target& t) -> Limit& { return t.agent->per_task; }, .wants = kLimitWants,
     .doc = "How many tokens this agent may be given for each task that it names in context.task; requests without one are one task. Claimed, so that it bounds accidents.", .fallback = "none"},
    {.name = "concurrent", .slot = +[](Target& t) -> uint32_t& { return t.agent->concurrent; }, .wants = "a whole number from 1 to 1000",
     .doc = "How many different tokens of this agent may be alive at a time; absent: any number.", .most = 1000},
});

constexpr auto kRule = std::to_array<Key>({
    {.name = "name", .slot = +[](Target& t) -> Text { return t.rule->name; }, .wants = kNameWants,
     .doc = "The rule's name in ledger and explanations, unique in its agent.", .required = true, .check = IsName},
    {.name = "scopes", .slot = +[](Target& t) -> List { return t.rule->scopes; }, .wants = kScopeWants,
     .doc = "What the rule grants.", .required = true},
    {.name = "credential", .slot = +[](Target& t) -> Text { return t.rule->credential; }, .wants = "the name of a [credential.NAME]",
     .doc = "The credential that tokens for this rule are obtained with.", .required = true, .check = IsReference},
    {.name = "deliver", .slot = +[](Target& t) -> Text { return t.rule->deliver; }, .wants = "how the agent gets it",
     .doc = "token: the agent receives the access token.", .fallback = "token", .words = kDeliver, .later = kDeliverLater},
    {.name = "decision", .slot = +[](Target& t) -> Text { return t.rule->decision; }, .wants = "what happens before it is granted",
     .doc = "log: granted and recorded; notify: and shown to whoever watches `purser approvals`; approve: when a person has said yes. Default: log for reading scopes, [policy] writes for others.", .words = kDecisions},
    {.name = "approve_bearer", .slot = +[](Target& t) -> bool& { return t.rule->approve_bearer; }, .wants = "true or false, without quotes",
     .doc = "With decision = \"approve\": accepts that one yes is good for all that the scopes allow, for as long as the token lives.", .fallback = "false"},
    {.name = "limit", .slot = +[](Target& t) -> std::optional<Limit>& { return t.rule->limit; }, .wants = kLimitWants,
     .doc = "How many tokens this rule may grant.", .fallback = "none"},
    {.name = "per_task", .slot = +[](Target& t) -> Limit& { return t.rule->per_task; }, .wants = kLimitWants,
     .doc = "How many tokens this rule may grant for each task that the agent names in context.task; requests without one are one task. Claimed, so that it bounds accidents.", .fallback = "none"},
    {.name = "concurrent", .slot = +[](Target& t) -> uint32_t& { return t.rule->concurrent; }, .wants = "a whole number from 1 to 1000",
     .doc = "How many different tokens of this rule may be alive at a time; absent: any number.", .most = 1000},
    {.name = "max_lifetime", .slot = +[](Target& t) -> std::chrono::seconds& { return t.rule->max_lifetime; }, .wants = "a duration such as \"90m\" or \"2h\", from 10m to 28h",
     .doc = "Tokens that live longer are refused; how long they live is a matter of the tenant's policies."},
    {.name = "continuous_access", .slot = +[](Target& t) -> bool& { return t.rule->continuous_access; }, .wants = "true or false, without quotes",
     .doc = "Asks for continuous access evaluation: tokens that live for up to 28 hours, which Entra can revoke meanwhile; the agent must pass claims challenges on.", .fallback = "false"},
});

constexpr auto kApproval = std::to_array<Key>({
    {.name = "by", .slot = +[](Target& t) -> List { return t.rule->approval_by.names; }, .wants = kApproverWants,
     .doc = "Whose yes counts, of [admin] approvers; \"requester\" is the person whom the request's user_assertion proves; absent: every approver's.", .check = IsApprover},
    {.name = "expires", .slot = +[](Target& t) -> std::chrono::seconds& { return t.rule->approval.expires; }, .wants = kDurationWants,
     .doc = "How long people have to decide.", .fallback = "10m"},
    {.name = "quorum", .slot = +[](Target& t) -> uint32_t& { return t.rule->approval.quorum; }, .wants = "a whole number from 1 to 10",
     .doc = "How many different people must say yes.", .fallback = "1", .most = 10},
    {.name = "uses", .slot = +[](Target& t) -> uint32_t& { return t.rule->approval.uses; }, .wants = "a whole number from 1 to 100",
     .doc = "How many tokens one approval is good for.", .fallback = "1", .most = 100},
    {.name = "within", .slot = +[](Target& t) -> std::chrono::seconds& { return t.rule->approval.within; }, .wants = kDurationWants,
     .doc = "How long an approval is good for, from the last yes on.", .fallback = "10m"},
});

constexpr auto kAdmin = std::to_array<Key>({
    {.name = "operators", .slot = +[](Target& t) -> List { return t.config->admin.operators; }, .wants = kGroupWants,
     .doc = "Who may do all but approve: enrol, rotate, revoke, kill, release, raise budgets, give roles, tear down.", .check = IsRoleHolder},
    {.name = "approvers", .slot = +[](Target& t) -> List { return t.config->admin.approvers; }, .wants = kGroupWants,
     .doc = "Who may approve and deny requests.", .check = IsRoleHolder},
    {.name = "auditors", .slot = +[](Target& t) -> List { return t.config->admin.auditors; }, .wants = kGroupWants,
     .doc = "Who may look: at the ledger's files, and by commands that change nothing.", .check = IsRoleHolder},
    {.name = "client_id", .slot = +[](Target& t) -> Text { return t.config->admin.client_id; }, .wants = "a GUID, e.g. \"3f6b…\"",
     .doc = "The registration (a public client) that people sign in to with `purser login --as-operator`; absent: they cannot.", .check = IsGuid, .from_env = true},
    {.name = "session", .slot = +[](Target& t) -> std::chrono::seconds& { return t.config->admin.session; }, .wants = kDurationWants,
     .doc = "How long a sign-in holds at most: for so long a person who has left keeps a role, from 5m to 12h.", .fallback = "1h"},
    {.name = "require_person", .slot = +[](Target& t) -> bool& { return t.config->admin.require_person; }, .wants = "true or false, without quotes",
     .doc = "Approving, releasing, accepting a restore and giving roles need a person who is signed in, root too. Stopping never does.", .fallback = "false"},
    {.name = "two_person_release", .slot = +[](Target& t) -> bool& { return t.config->admin.two_person_release; }, .wants = "true or false, without quotes",
     .doc = "A release after a kill needs two operators: one proposes it, another one confirms it within 15 minutes. Killing never does.", .fallback = "false"},
    {.name = "upstream", .slot = +[](Target& t) -> Text { return t.config->admin.upstream; }, .wants = "NAME of a [credential.NAME]",
     .doc = "The credential with which `purser kill` and `revoke` with --upstream act at Microsoft Graph; absent: they cannot.", .check = IsReference},
});

// No character that has to be escaped in a path, and no step up in it.
bool IsChatId(string_view text) {
  constexpr size_t kLongest = 200;  // Graph's have about 60
  return text.starts_with("19:") && text.size() <= kLongest && text.find("..") == text.npos &&
         std::ranges::all_of(text, [](char c) {
           return IsAlnum(c) || string_view("-_.:@").find(c) != string_view::npos;
         });
}

constexpr auto kNotify = std::to_array<Key>({
    {.name = "kind", .slot = +[](Target& t) -> Text { return t.notifier->kind; }, .wants = "how people are told",
     .doc = "webhook: an Adaptive Card for Teams Workflows; teams-chat: a message in a chat, through Microsoft Graph.", .required = true, .words = kNotifierKinds},
    {.name = "host", .slot = +[](Target& t) -> Text { return t.notifier->host; }, .wants = "an https origin such as \"https://prod-1.westeurope.logic.azure.com\", without a path",
     .doc = "The origin of the webhook's address, with kind = \"webhook\" only; the address itself is a secret.", .check = IsHttpsOrigin},
    {.name = "credential", .slot = +[](Target& t) -> Text { return t.notifier->credential; }, .wants = "the name of a [credential.NAME]",
     .doc = "With kind = \"webhook\" one of kind \"webhook-url\"; with \"teams-chat\" a user's, consented to ChatMessage.Send alone (and to Chat.Read with replies = true), that nothing else uses.", .required = true, .check = IsReference},
    {.name = "chat", .slot = +[](Target& t) -> Text { return t.notifier->chat; }, .wants = "the id of a chat, such as \"19:…@thread.v2\"",
     .doc = "The chat that is written to, with kind = \"teams-chat\" only; the credential's user must be in it.", .check = IsChatId},
    {.name = "replies", .slot = +[](Target& t) -> bool& { return t.notifier->replies; }, .wants = "true or false, without quotes",
     .doc = "With kind = \"teams-chat\": \"yes CODE\" or \"no CODE\", said in the chat by an approver named as \"entra-user:GUID\", decides. Polls the chat while an approval waits, more often than Microsoft's terms allow (once a day).", .fallback = "false"},
    {.name = "notices", .slot = +[](Target& t) -> bool& { return t.notifier->notices; }, .wants = "true or false, without quotes",
     .doc = "Tells of releases of rules with decision = \"notify\", too.", .fallback = "false"},
});

constexpr auto kSections = std::to_array<Section>({
    {"instance",   Repeat::kOnce,  true,  "This purser.", kInstance},
    {"tenant",     Repeat::kOnce,  true,  "The Entra tenant.", kTenant},
    {"network",    Repeat::kOnce,  false, "The way out; nothing of it is taken from the environment.", kNetwork},
    {"paths",      Repeat::kOnce,  false, "Folders.", kPaths},
    {"seal",       Repeat::kOnce,  true,  "The key-encryption key.", kSeal},
    {"hardening",  Repeat::kOnce,  false, "Separation of the processes.", kHardening},
    {"vault",      Repeat::kNamed, false, "Where secrets come from besides purser's own store.", kVault},
    {"credential", Repeat::kNamed, false, "A long-lived secret and the registration that it belongs to.", kCredential},
    {"policy",     Repeat::kOnce,  false, "Above all rules.", kPolicy},
    {"agent",      Repeat::kNamed, false, "A workload that asks: by which facts it is known, and what it may have.", kAgent},
    {"notify",     Repeat::kNamed, false, "Who is told, elsewhere, that something waits for approval.", kNotify},
    {"admin",      Repeat::kOnce,  false, "Roles on the operator's socket: by Unix group, and by Entra for people who sign in.", kAdmin},
});
constexpr Section kRuleSection = {"allow", Repeat::kArray, false, "A rule. What no rule grants is denied.", kRule};

constexpr Section kApprovalSection = {"approval", Repeat::kOnce, false, "What one approval takes and gives, with decision = \"approve\".", kApproval};

constexpr auto kUnserved = std::to_array<Unserved>({
    {"",           "reload",       "reload with `purser reload` or SIGHUP"},
    {"allow",      "paths",        "agents receive tokens only, which no path narrows: remove it"},
});

constexpr std::array<string_view, 14> kSecretWords = {
    "secret",      "client_secret", "password",    "passphrase", "refresh_token",
    "private_key", "certificate",   "access_token", "token",     "assertion",
    "api_key",     "key",           "secrets",     "kek"};
// clang-format on

}  // namespace

std::span<const Section> Sections() { return kSections; }

const Section& FindSection(std::string_view name) {
  return *std::ranges::find(kSections, name, &Section::name);
}

const Section& RuleSection() { return kRuleSection; }
const Section& ApprovalSection() { return kApprovalSection; }
std::span<const Unserved> UnservedKeys() { return kUnserved; }

bool IsSecretWord(std::string_view key) {
  return std::ranges::find(kSecretWords, key) != kSecretWords.end();
}

}  // namespace broker::policy
