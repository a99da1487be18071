// broker/policy/config_values.h: what single values of the configuration look like.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "broker/policy/config.h"

namespace broker::policy {

/// Agents, credentials, rules and the instance: they become paths, ledger fields and arguments.
/// [a-z0-9] first, then [a-z0-9-], 64 at the most.
constexpr size_t kMaxNameBytes = 64;
bool IsName(std::string_view text);

/// An agent's whole allowance where its `limit` is absent: one a second on average is more than a
/// client needs that keeps its token until it expires, and a loop that forgets to stops within the
/// hour, 4 MB of ledger later.
constexpr std::string_view kDefaultAgentLimit = "3600/hour";

/// "N/second", "N/minute", "N/hour", "N/day" with 1 ≤ N ≤ 1,000,000, or "none" (count 0).
std::optional<Limit> ParseLimit(std::string_view text);
std::string Format(const Limit& limit);

/// A whole number and s, m, h or d: "90s", "10m", "8h", "1d". No more than a year.
std::optional<std::chrono::seconds> ParseDuration(std::string_view text);
/// In the largest unit that divides it.
std::string Format(std::chrono::seconds duration);

/// A uid or gid in decimal; nothing for a name.
std::optional<uint32_t> ParseId(std::string_view text);
/// Ids that unmapped users and groups look like, and -1, which means "no id" to the kernel.
bool IsNobody(uint32_t id);

bool IsGuid(std::string_view text);
bool IsTenant(std::string_view text);        // GUID or domain
bool IsHttpsOrigin(std::string_view text);   // "https://host[:port]", nothing behind
bool IsProxyUrl(std::string_view text);      // "http://host:port", no user
bool IsResourceId(std::string_view text);    // "/subscriptions/…", as Azure names resources
bool IsAbsolutePath(std::string_view text);  // no "..", no control bytes, not "/" itself
bool IsSha256(std::string_view text);        // 64 lower-case hex digits
bool IsSystemUnit(std::string_view text);    // "helpdesk.service", also .scope
bool IsAccount(std::string_view text);       // a user's or group's name, or a number
bool IsRoleHolder(std::string_view text);    // "group:name", "entra-group:GUID", "entra-user:GUID"
bool IsVaultSuffix(std::string_view text);   // "vault.azure.net": a host name
bool IsVaultAuth(std::string_view text);     // how purser shows a vault who it is
/// What a vault calls a secret: a Key Vault name, or a file's name without a folder.
bool IsSecretName(std::string_view text);
bool IsReference(std::string_view text);     // to a [credential.NAME] or [vault.NAME] there may be
bool IsKeyVaultName(std::string_view text);  // 1 to 127 of 0-9, a-z, A-Z and '-'
bool IsKeyVaultVersion(std::string_view text);  // 32 hex digits

/// Whether the text has the shape of a secret: PEM, a JWT, or an Entra client secret. Such a value
/// is refused wherever it stands, and never quoted.
bool LooksSecret(std::string_view text);

/// The host of an origin, without a port.
std::string_view HostOf(std::string_view origin);
/// "host:port" of a URL; the scheme's port where it names none.
std::string HostAndPort(std::string_view origin);

}  // namespace broker::policy
