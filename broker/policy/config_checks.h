// broker/policy/config_checks.h: what values mean together. Each adds its faults to the draft.
#pragma once
#include "broker/policy/config_reader.h"

namespace broker::policy {

/// In an approval's `by`: the person whom the request's user_assertion proves.
inline constexpr const char* kRequester = "requester";

/// Required sections; cloud → authority and graph; seal; the admin groups' numbers.
void CheckInstance(const Accounts& accounts, Draft* draft);
/// Which keys go with which kind, and which credential may prove which; defaults of managed
/// identities; scopes in canonical form, also those of [policy].
void CheckCredentials(Draft* draft);
/// Which keys go with which kind of vault; whether its host is one of the cloud's; which secret a
/// credential takes from it. With `served` false, that no vault is connected in this version.
void CheckVaults(Draft* draft);
/// Selectors, ids, admin groups, lengths of socket paths.
/// REQUIRES: CheckInstance was called, for the admin groups.
void CheckAgents(const ParseInput& input, Draft* draft);
/// Which keys go with which kind of notifier, and that its credential is of the kind it needs.
void CheckNotifiers(Draft* draft);
/// Rules that name what does not exist, contradict each other, or can never issue.
/// REQUIRES: CheckCredentials was called, for the canonical scopes.
void CheckRules(Draft* draft);

/// Brings the scopes of the list at `path` into canonical form; faults what is no scope.
void CanonicalizeScopes(const std::string& path, std::vector<std::string>* scopes, Draft* draft);

}  // namespace broker::policy
