// broker/minted_check.h: promise 6, what was minted is what may be released.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "broker/policy/config.h"
#include "broker/ports/token_cache.h"

namespace broker {

/// Pure. Compares audience (in the forms that Entra uses for the resource), tenant, app id, user,
/// lifetime and kind with what is configured, and scp/roles with `allowed` (AllowedScopes): one more
/// than these is kOverScoped, anything else that differs kMintedMismatch. `openid profile email
/// offline_access` never count.
std::optional<Refusal> CheckMinted(const AccessToken& token, const policy::Config& config,
                                   const policy::Credential& credential, const TokenKey& key,
                                   const std::vector<std::string>& allowed, Clock::Wall now);

}  // namespace broker
