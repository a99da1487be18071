// vault_adapters/bearer_challenge.h: what a 401 of Key Vault says about the token that it wants.
#pragma once
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vault {

/// `Bearer authorization="https://login.microsoftonline.com/TENANT",
/// resource="https://vault.azure.net"`; some vaults say `scope=` with "/.default" instead.
struct BearerChallenge {
  std::string authorization;  // the authority with the tenant as its path
  std::string resource;       // without "/.default"
};

/// Pure. Nothing for another scheme, for text that is no list of parameters (RFC 9110 §11.2), for a
/// parameter named twice, or where one of the two is missing.
std::optional<BearerChallenge> ParseBearerChallenge(std::string_view header);

/// Whom a challenge may send purser to.
struct TrustedAuthority {
  std::string vault_host;            // "corp-agents.vault.azure.net", no port
  std::string resource;              // "https://vault.azure.net": what tokens are asked for
  std::vector<std::string> tenants;  // ours: the GUID, and the domain where that is configured
  /// A cloud of the operator's own: its vaults may be anywhere, so `resource` alone decides.
  bool custom_cloud = false;
};

/// Whether the challenge asks for a token that purser would send to this vault anyway: the vault's
/// host must be below the resource's, the resource the configured one, the tenant ours. Otherwise
/// why not, for the operator; nothing of the challenge is quoted. The authority's host is not
/// looked at: a token is asked of the configured authority alone.
std::expected<void, std::string> CheckChallenge(const BearerChallenge& challenge,
                                                const TrustedAuthority& trusted);

}  // namespace vault
