// broker/policy/scopes.h: Graph permission names and full URIs, in one canonical form.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "broker/policy/config.h"
#include "broker/token_request.h"

namespace broker::policy {

/// The canonical form: "Mail.Read" where `resource` is Graph, "https://vault.azure.net/x"
/// elsewhere.
std::string QualifiedScope(std::string_view resource, std::string_view name,
                           std::string_view graph);
/// A scope of the configuration in canonical form. Refuses what ParseScopes refuses, and
/// `.default`, which names no permission.
std::expected<std::string, Refusal> CanonicalScope(const std::string& written,
                                                   std::string_view graph);
/// The resource of a canonical scope.
std::string ResourceOf(const std::string& canonical, std::string_view graph);

/// "a, b" of `names` and ", ".
std::string JoinNames(const std::vector<std::string>& names, std::string_view separator);

/// Whether one of `list` is the scope but for ASCII case.
bool ContainsIgnoringCase(const std::vector<std::string>& list, std::string_view scope);

/// False only for permissions whose name says that they read ("Mail.Read", "User.ReadBasic.All");
/// everything else counts as writing. Names:
/// https://learn.microsoft.com/graph/permissions-reference
bool GrantsWriting(std::string_view scope);

/// Whether the rule hands out tokens that nobody has to approve one by one.
bool IsUngatedToken(const Rule& rule);

/// Whether the rule counts what it grants: how often, how often for a task, or how many at a time.
bool IsLimited(const Rule& rule);

/// Whether the rule waits for a person's yes.
inline bool NeedsApproval(const Rule& rule) { return rule.decision == "approve"; }

/// What Entra would put into a token for `rule` (it returns all that the registration is consented
/// to for a resource) though neither the rule nor any unlimited rule of this agent grants it. Not
/// empty: every token for the rule is over-scoped, and the rule can never issue by itself.
std::vector<std::string> ExcessScopes(const Agent& agent, const Rule& rule,
                                      const Credential& credential, std::string_view graph);

}  // namespace broker::policy
