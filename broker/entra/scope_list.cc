#include "broker/entra/scope_list.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "broker/base/ascii.h"

namespace broker::entra {
namespace {

bool StartsWithIgnoringCase(std::string_view text, std::string_view prefix) {
  return SameIgnoringCase(text.substr(0, prefix.size()), prefix);
}

std::string_view WithoutResource(std::string_view scope, std::string_view resource) {
  if (resource.empty() || scope.size() <= resource.size() ||
      !StartsWithIgnoringCase(scope, resource))
    return scope;
  if (scope[resource.size()] != '/') return scope;
  return scope.substr(resource.size() + 1);
}

}  // namespace

bool IsOidcScope(std::string_view name) {
  static constexpr std::array<std::string_view, 4> kNames = {"openid", "profile", "email",
                                                             "offline_access"};
  return std::ranges::find(kNames, name) != kNames.end();
}

std::vector<std::string> ParseScopeList(std::string_view text, std::string_view resource) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const std::string_view name = WithoutResource(text.substr(0, end), resource);
    if (!name.empty() && name != ".default" && !IsOidcScope(name)) names.emplace_back(name);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  return names;
}

std::vector<std::string> MergeScopes(const std::vector<std::string>& a,
                                     const std::vector<std::string>& b) {
  std::vector<std::string> all;
  std::ranges::set_union(a, b, std::back_inserter(all));
  return all;
}

}  // namespace broker::entra
