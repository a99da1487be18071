// sidecar/broker/credential_ends.h: until when what a credential lives by is good. Pure.
#pragma once
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/credential_uses.h"
#include "broker/policy/config.h"
#include "broker/ports/sealed_store.h"

namespace sidecar::broker_role {

// A new registration or certificate takes some tenants a change request: a month to have it made.
inline constexpr std::chrono::hours kSoonWithin{30 * 24};
// No later than this somebody has to act: whoever looks once a week still sees it in time.
inline constexpr std::chrono::hours kUrgentWithin{7 * 24};

/// One thing that ends. `at` absent: it does, but nobody here knows when.
struct End {
  std::string_view what;  // certificate | client-secret | refresh-token | vault-secret
  std::optional<broker::Clock::Wall> at;
  std::string_view by;  // certificate | vault | operator | inactivity | unknown
};

/// Nothing for what does not end, or has a successor without anybody's doing: managed identities,
/// federated tokens, and what is proved by another credential. `version`: of the secret in purser's
/// own store; what is known of another one does not count.
std::vector<End> EndsOf(const broker::policy::Credential& credential,
                        const broker::CredentialUse& use, const std::string& version);

enum class Nearness { kFar, kSoon, kUrgent, kPast };
Nearness NearnessOf(const End& end, broker::Clock::Wall now);
/// "soon", "urgent", "past"; "" of kFar.
std::string_view NameOf(Nearness nearness);

/// {"what","by","on":UNIX,"days_left":N}, without the last two where it is unknown; days are whole
/// ones, negative once it is past.
nlohmann::json AsJson(const End& end, broker::Clock::Wall now);

/// What to do about it, as a command or a place.
std::string RemedyOf(const broker::policy::Credential& credential);

/// Version of each credential's secret in purser's own store, in decimal; absent: none is stored.
/// Of a refresh token with a client secret, the secret's: a refresh token has no end of its own.
std::map<std::string, std::string> StoredVersions(
    const std::vector<broker::StoredSecretInfo>& stored, const broker::policy::Config& config);

/// A row for each end that is not kFar, the nearest first: AsJson() with credential, level, remedy.
nlohmann::json EndingSoon(const broker::policy::Config& config, const broker::CredentialUses& uses,
                          const std::map<std::string, std::string>& versions,
                          broker::Clock::Wall now);

/// "2027-05-31" as its first moment, UTC. Nothing for another text or no day of the calendar.
std::optional<broker::Clock::Wall> ParseDay(std::string_view text);

}  // namespace sidecar::broker_role
