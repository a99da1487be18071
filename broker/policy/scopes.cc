#include "broker/policy/scopes.h"

#include <algorithm>
#include <set>

#include "broker/base/ascii.h"

namespace broker::policy {
std::string QualifiedScope(std::string_view resource, std::string_view name,
                           std::string_view graph) {
  if (resource == graph) return std::string(name);
  return std::string(resource) + "/" + std::string(name);
}

std::expected<std::string, Refusal> CanonicalScope(const std::string& written,
                                                   std::string_view graph) {
  const auto parsed = ParseScopes({written}, graph);
  if (!parsed) return std::unexpected(parsed.error());
  if (parsed->is_default) return Refuse(Reason::kInvalidScope);
  return QualifiedScope(parsed->resource, parsed->names.front(), graph);
}

std::string ResourceOf(const std::string& canonical, std::string_view graph) {
  if (canonical.find("://") == std::string::npos) return std::string(graph);
  return canonical.substr(0, canonical.rfind('/'));
}

std::string JoinNames(const std::vector<std::string>& names, std::string_view separator) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += separator;
    text += name;
  }
  return text;
}

bool ContainsIgnoringCase(const std::vector<std::string>& list, std::string_view scope) {
  return std::ranges::any_of(list,
                             [&](const std::string& one) { return SameIgnoringCase(one, scope); });
}

bool GrantsWriting(std::string_view scope) {
  const size_t slash = scope.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? scope : scope.substr(slash + 1);
  // "Mail.ReadBasic.All": the word after the first dot says what may be done.
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos) return true;
  const std::string_view verb = name.substr(dot + 1, name.find('.', dot + 1) - dot - 1);
  return verb != "Read" && verb != "ReadBasic";
}

bool IsUngatedToken(const Rule& rule) {
  return rule.deliver == "token" && rule.decision != "approve";
}

bool IsLimited(const Rule& rule) {
  return rule.limit || rule.per_task.count > 0 || rule.concurrent > 0;
}

std::vector<std::string> ExcessScopes(const Agent& agent, const Rule& rule,
                                      const Credential& credential, std::string_view graph) {
  std::set<std::string> resources;
  std::set<std::string> covered(rule.scopes.begin(), rule.scopes.end());
  for (const std::string& scope : rule.scopes) resources.insert(ResourceOf(scope, graph));
  for (const Rule& other : agent.rules) {
    if (other.credential == rule.credential && IsUngatedToken(other) && !IsLimited(other)) {
      covered.insert(other.scopes.begin(), other.scopes.end());
    }
  }
  std::vector<std::string> excess;
  for (const std::string& scope : credential.scopes) {
    if (resources.contains(ResourceOf(scope, graph)) && !covered.contains(scope)) {
      excess.push_back(scope);
    }
  }
  return excess;
}

}  // namespace broker::policy
