// broker/policy/nearest.h: what somebody who misspelt a word meant.
#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace broker::policy {

/// Letters to insert, drop, replace or swap with a neighbour to make `b` of `a` (optimal string
/// alignment). Capitals are as small letters, and '_' as '-'.
size_t EditDistance(std::string_view a, std::string_view b);

/// The word of `known` that is most like `word`, when it is a likely slip of the pen, or the only
/// one that has it as a part ("keyvault" of "azure-key-vault"); else empty. Of equals the first.
std::string_view Nearest(std::string_view word, std::span<const std::string_view> known);

/// "did you mean \"status\"", or empty.
std::string DidYouMean(std::string_view word, std::span<const std::string_view> known);

template <class Value>
std::vector<std::string_view> NamesOf(const std::map<std::string, Value>& named) {
  std::vector<std::string_view> names;
  names.reserve(named.size());
  for (const auto& [name, value] : named) names.push_back(name);
  return names;
}

}  // namespace broker::policy
