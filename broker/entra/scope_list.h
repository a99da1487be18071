// broker/entra/scope_list.h: the lists of permission names that Entra answers with.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace broker::entra {

/// openid, profile, email, offline_access: sign-in itself, no permission of a resource.
bool IsOidcScope(std::string_view name);

/// Splits a space-separated list (RFC 6749 §3.3); takes the prefix "resource/" off, whatever its
/// case; drops `.default` and the OIDC scopes. Sorted and unique. A scope of another resource stays
/// whole, so that it is never mistaken for one of this resource.
std::vector<std::string> ParseScopeList(std::string_view text, std::string_view resource);

/// The union of two sorted lists.
std::vector<std::string> MergeScopes(const std::vector<std::string>& a,
                                     const std::vector<std::string>& b);

}  // namespace broker::entra
