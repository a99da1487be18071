// broker/policy/sharing.h: agents that draw from one registration.
#pragma once
#include <vector>

#include "broker/policy/config.h"

namespace broker::policy {

/// A warning for each registration that rules of several agents draw from, at its first credential
/// of that name. Entra puts every scope consented to a registration into each of its tokens, so
/// what one agent needs is offered to all of them, and only the check of what was minted stands
/// between. An application's permissions and those that users delegate are apart; a client id of
/// zeros stands for a registration that is yet to be made. Pure; in the order of the credentials.
std::vector<Diagnostic> SharingWarnings(const Config& config);

}  // namespace broker::policy
