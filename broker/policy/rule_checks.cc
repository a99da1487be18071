#include <algorithm>
#include <map>

#include "broker/base/ascii.h"
#include "broker/policy/config_checks.h"
#include "broker/policy/config_messages.h"
#include "broker/policy/entra_people.h"
#include "broker/policy/kinds.h"
#include "broker/policy/nearest.h"
#include "broker/policy/scopes.h"

namespace broker::policy {
namespace {

// What token lifetime policies can set, and what continuous access evaluation makes of it.
constexpr std::chrono::minutes kShortestLife{10};
constexpr std::chrono::hours kContinuousLife{20};
constexpr std::chrono::hours kLongestLife{28};
// A person needs a few seconds to read, and is asked anew the next day.
constexpr std::chrono::seconds kShortestDecision{5};
constexpr std::chrono::hours kLongestDecision{24};

// One rule against everything around it.
class RuleCheck {
 public:
  RuleCheck(Draft* draft, Agent* agent, size_t index)
      : draft_(draft),
        agent_(agent),
        rule_(&agent->rules[index]),
        path_("agent." + agent->name + ".allow." + std::to_string(index)) {}

  // Scopes in canonical form, none of them forbidden; a decision.
  void Prepare() {
    const bool read = draft_->IsWritten(path_ + ".scopes") && !draft_->IsUnread(path_ + ".scopes");
    if (read && rule_->scopes.empty()) {
      draft_->Fault(At(".scopes"), Name() + " grants nothing: name at least one scope");
    }
    CanonicalizeScopes(path_ + ".scopes", &rule_->scopes, draft_);
    for (size_t i = 0; i < rule_->scopes.size(); ++i) {
      if (!ContainsIgnoringCase(draft_->config.never, rule_->scopes[i])) continue;
      draft_->Fault(At(".scopes." + std::to_string(i)),
                    "[policy] never forbids " + rule_->scopes[i] + ": remove it here or there");
    }
    if (draft_->IsWritten(path_ + ".decision") || !rule_->decision.empty()) return;
    const auto writing = std::ranges::find_if(rule_->scopes, GrantsWriting);
    rule_->decision = writing == rule_->scopes.end() ? "log" : draft_->config.writes;
    if (!rule_->decision.empty()) return;
    draft_->Fault(rule_->place,
                  Name() + " grants " + *writing +
                      ", which does more than read: say decision = \"log\" (or \"approve\") "
                      "here, or writes = \"log\" in [policy]");
    rule_->decision = "log";
  }

  // REQUIRES: Prepare() was called for all rules of the agent.
  void Run() {
    CheckName();
    CheckApproval();
    const auto credential = draft_->config.credentials.find(rule_->credential);
    if (credential == draft_->config.credentials.end()) {
      if (!rule_->credential.empty()) FaultNoCredential();
      return;
    }
    CheckNotOwn(credential->second);
    if (credential->second.scopes.empty()) {
      // Faulted where it stands, unless it was written to be another's proof alone.
      if (!draft_->IsWritten("credential." + rule_->credential + ".scopes")) FaultProofOnly();
      return;
    }
    if (CheckConsented(credential->second)) CheckCanIssue(credential->second);
    CheckLifetime(credential->second);
    CheckOneIdentity(credential->second);
  }

 private:
  [[nodiscard]] Place At(const std::string& key) const { return draft_->PlaceOf(path_ + key); }
  [[nodiscard]] std::string Name() const {
    return rule_->name.empty() ? "this rule" : "rule " + rule_->name;
  }

  void CheckName() {
    for (const Rule& other : agent_->rules) {
      if (&other == rule_) return;
      if (other.name.empty() || other.name != rule_->name) continue;
      draft_->Fault(At(".name"), "agent " + agent_->name + " has a rule named \"" + rule_->name +
                                     "\" already, in line " + std::to_string(other.place.line) +
                                     ": give this one another name");
      return;
    }
  }

  void CheckApproval() {
    const bool approve = rule_->decision == "approve";
    const bool terms = draft_->IsWritten(path_ + ".approval");
    if (!approve && (terms || rule_->approve_bearer)) {
      draft_->Fault(At(terms ? ".approval" : ".approve_bearer"),
                    "nothing of " + Name() +
                        " waits for approval: remove it, or write decision = \"approve\"");
    }
    if (!approve) return;
    if (!rule_->approve_bearer && rule_->deliver == "token") {
      draft_->Fault(
          At(".decision"),
          Name() +
              " hands out a token: one yes would be good for all that its scopes "
              "allow, for as long as the token lives; write approve_bearer = true to accept that");
    }
    for (const char* key : {".approval.expires", ".approval.within"}) {
      const auto given = key == std::string_view(".approval.expires") ? rule_->approval.expires
                                                                      : rule_->approval.within;
      if (given >= kShortestDecision && given <= kLongestDecision) continue;
      draft_->Fault(At(key), "\"" + std::string(key).substr(10) + "\" must be from 5s to 24h");
    }
    if (rule_->approval.uses > 1 && !draft_->IsWritten(path_ + ".approval.within")) {
      draft_->Fault(At(".approval.uses"),
                    "several uses need a time: write within = \"…\" beside them, such as \"1h\"");
    }
    CheckApprovers();
  }

  void CheckApprovers() {
    const Admin& admin = draft_->config.admin;
    const std::string by = path_ + ".approval.by";
    if (admin.approvers.empty()) {
      return draft_->Fault(rule_->place, Name() +
                                             " waits for approval, and nobody may give it: "
                                             "write approvers = [\"group:NAME\"] in [admin]");
    }
    auto& groups = rule_->approval_by;
    if (groups.names == std::vector<std::string>{kRequester} && rule_->approval.quorum > 1) {
      draft_->Fault(At(".approval.quorum"),
                    "only one person is the requester: write quorum = 1, or name a group besides");
    }
    if (draft_->IsWritten(by) && groups.names.empty() && !draft_->IsUnread(by)) {
      draft_->Fault(At(".approval.by"), "\"by\" names nobody: remove it, or name a group");
    }
    for (size_t i = 0; i < groups.names.size(); ++i) {
      if (groups.names[i] == kRequester) {
        groups.requester = true;
        CheckRequester(i);
        continue;
      }
      const auto found = std::ranges::find(admin.approvers, groups.names[i]);
      if (found == admin.approvers.end()) {
        draft_->Fault(At(".approval.by." + std::to_string(i)),
                      groups.names[i] +
                          " is not among [admin] approvers, who alone may approve: "
                          "add it there");
      } else if (!AddEntra(groups.names[i], &groups.entra)) {
        const auto before =
            std::ranges::count_if(admin.approvers.begin(), found,
                                  [](const auto& name) { return name.starts_with("group:"); });
        const auto at = static_cast<size_t>(before);
        if (at < admin.approver_gids.size()) groups.gids.push_back(admin.approver_gids[at]);
      }
    }
  }

  // Nobody else's requests bring a user_assertion, and nobody else is known to be that person.
  void CheckRequester(size_t index) {
    const std::string at = ".approval.by." + std::to_string(index);
    const auto credential = draft_->config.credentials.find(rule_->credential);
    if (credential == draft_->config.credentials.end() || credential->second.kind.empty()) return;
    if (SubjectOf(credential->second) != Subject::kAssertedUser) {
      return draft_->Fault(
          At(at),
          "\"requester\" is the person whose token a request brings in user_assertion, and "
          "credential " +
              credential->first +
              " acts for no such person: name a group, or a credential of kind \"on-behalf-of\"");
    }
    if (!draft_->config.admin.client_id.empty() || draft_->IsUnread("admin.client_id")) return;
    draft_->Fault(At(at),
                  "\"requester\" decides as somebody who is signed in, and nobody can sign in: "
                  "name a group, \"group:NAME\", or give [admin] a client_id");
  }

  // Who has a token of that registration can do what ends others.
  void CheckNotOwn(const Credential& credential) {
    const auto own = draft_->config.credentials.find(draft_->config.admin.upstream);
    if (own == draft_->config.credentials.end()) return;
    const std::string& client = own->second.client_id;
    const bool same = !client.empty() && SameIgnoringCase(client, credential.client_id);
    if (!same && own->first != credential.name) return;
    draft_->Fault(At(".credential"),
                  Name() +
                      " would hand out tokens of the registration that [admin] upstream names, "
                      "with which purser ends what was stopped: give the agent another one");
  }

  void FaultNoCredential() {
    std::string known;
    for (const auto& [name, credential] : draft_->config.credentials) {
      known += (known.empty() ? "" : ", ") + name;
    }
    draft_->Fault(
        At(".credential"),
        NoSuchMessage("credential", rule_->credential, NamesOf(draft_->config.credentials),
                      known.empty() ? "add it" : "add it, or name one of " + known));
  }

  void FaultProofOnly() {
    draft_->Fault(At(".credential"), Name() + " can never issue: " + rule_->credential +
                                         " lists no scopes that its registration is consented to");
  }

  bool CheckConsented(const Credential& credential) {
    bool all = true;
    for (size_t i = 0; i < rule_->scopes.size(); ++i) {
      const std::string& scope = rule_->scopes[i];
      if (std::ranges::find(credential.scopes, scope) != credential.scopes.end()) continue;
      const auto alike = std::ranges::find_if(
          credential.scopes, [&](const std::string& one) { return SameIgnoringCase(one, scope); });
      draft_->Fault(
          At(".scopes." + std::to_string(i)),
          Name() + " can never issue: " + credential.name + " is not consented to " + scope +
              (alike != credential.scopes.end() ? "; write " + *alike + ", case matters"
                                                : "; consent to it and list it in [credential." +
                                                      credential.name + "], or remove it here"));
      all = false;
    }
    return all;
  }

  void CheckCanIssue(const Credential& credential) {
    const auto excess = ExcessScopes(*agent_, *rule_, credential, draft_->config.tenant.graph);
    if (rule_->deliver != "token" || excess.empty()) return;
    draft_->Fault(rule_->place,
                  Name() + " can never issue: " + credential.name + " is also consented to " +
                      JoinNames(excess, ", ") +
                      "; Entra puts every consented scope into the token, so use a registration "
                      "consented to no more than this agent may have without a limit of its own");
  }

  void CheckLifetime(const Credential& credential) {
    const auto most = rule_->max_lifetime;
    const bool written = draft_->IsWritten(path_ + ".max_lifetime");
    if (written && (most < kShortestLife || most > kLongestLife)) {
      draft_->Fault(At(".max_lifetime"), "\"max_lifetime\" must be from 10m to 28h");
    }
    if (!rule_->continuous_access) return;
    if (credential.kind == "managed-identity") {
      draft_->Fault(At(".continuous_access"),
                    "managed identities have no continuous access evaluation: remove it");
    }
    if (most.count() == 0 || most >= kContinuousLife) return;
    draft_->Fault(At(".max_lifetime"),
                  Name() +
                      " can never issue: tokens with continuous access live for 20 to 28 "
                      "hours; remove one of the two");
  }

  // The agent cannot say whose token it wants. Several registrations may serve a scope, and the one
  // that exceeds the request least is taken: but whose rights they are is never chosen for it.
  void CheckOneIdentity(const Credential& credential) {
    for (const Rule& other : agent_->rules) {
      if (&other == rule_) return;
      if (other.credential == rule_->credential || !IsOtherIdentity(other, credential)) continue;
      for (size_t i = 0; i < rule_->scopes.size(); ++i) {
        if (std::ranges::find(other.scopes, rule_->scopes[i]) == other.scopes.end()) continue;
        draft_->Fault(At(".scopes." + std::to_string(i)),
                      rule_->scopes[i] + " comes from credential " + other.credential +
                          " in rule " + other.name +
                          " already, and a request could not say which "
                          "identity it means: keep it in one of the two");
      }
    }
  }

  [[nodiscard]] bool IsOtherIdentity(const Rule& other, const Credential& credential) const {
    const auto found = draft_->config.credentials.find(other.credential);
    return found != draft_->config.credentials.end() &&
           PrincipalOf(found->second) != PrincipalOf(credential);
  }

  Draft* draft_;
  Agent* agent_;
  Rule* rule_;
  std::string path_;
};

}  // namespace

void CheckRules(Draft* draft) {
  for (auto& [name, agent] : draft->config.agents) {
    for (size_t i = 0; i < agent.rules.size(); ++i) RuleCheck(draft, &agent, i).Prepare();
    for (size_t i = 0; i < agent.rules.size(); ++i) RuleCheck(draft, &agent, i).Run();
  }
}

}  // namespace broker::policy
