#include "sidecar/broker/credential_ends.h"

#include <algorithm>
#include <charconv>

#include "broker/base/unix_time.h"
#include "sidecar/broker/credential_secrets.h"

namespace sidecar::broker_role {
namespace {

using broker::Clock, broker::CredentialUse, broker::CredentialUses, broker::Expiry;
using broker::policy::Credential;
using nlohmann::json;

std::string_view NameOf(Expiry::By by) {
  switch (by) {
    case Expiry::By::kCertificate:
      return "certificate";
    case Expiry::By::kVault:
      return "vault";
    case Expiry::By::kOperator:
      return "operator";
  }
  return "unknown";
}

End Known(std::string_view what, const std::optional<Expiry>& expiry) {
  if (!expiry) return {what, std::nullopt, "unknown"};
  return {what, expiry->at, NameOf(expiry->by)};
}

End Idle(const CredentialUse& use) {
  if (!use.minted) return {"refresh-token", std::nullopt, "unknown"};
  return {"refresh-token", *use.minted + CredentialUses::kRefreshTokenIdle, "inactivity"};
}

}  // namespace

std::vector<End> EndsOf(const Credential& credential, const CredentialUse& use,
                        const std::string& version) {
  auto expiry = use.expiry;
  if (credential.vault.empty() && expiry && expiry->version != version) expiry.reset();
  if (credential.kind == "client-secret") return {Known("client-secret", expiry)};
  if (credential.kind == "certificate" || credential.kind == "key-vault-key") {
    return {Known("certificate", expiry)};
  }
  if (credential.kind != "refresh-token") return {};
  std::vector<End> ends{Idle(use)};
  if (!credential.vault.empty() && expiry) ends.push_back(Known("vault-secret", expiry));
  if (credential.vault.empty() && credential.confidential) {
    ends.push_back(Known("client-secret", expiry));
  }
  return ends;
}

Nearness NearnessOf(const End& end, Clock::Wall now) {
  if (!end.at) return Nearness::kFar;
  const auto left = *end.at - now;
  if (left <= Clock::Wall::duration::zero()) return Nearness::kPast;
  if (left <= kUrgentWithin) return Nearness::kUrgent;
  return left <= kSoonWithin ? Nearness::kSoon : Nearness::kFar;
}

std::string_view NameOf(Nearness nearness) {
  switch (nearness) {
    case Nearness::kFar:
      return "";
    case Nearness::kSoon:
      return "soon";
    case Nearness::kUrgent:
      return "urgent";
    case Nearness::kPast:
      return "past";
  }
  return "";
}

json AsJson(const End& end, Clock::Wall now) {
  json row = {{"what", end.what}, {"by", end.by}};
  if (!end.at) return row;
  row["on"] = broker::UnixSeconds(*end.at);
  row["days_left"] = std::chrono::floor<std::chrono::days>(*end.at - now).count();
  return row;
}

std::string RemedyOf(const Credential& credential) {
  if (credential.kind == "refresh-token") return "purser login " + credential.name;
  if (credential.vault.empty()) return "purser secret set " + credential.name;
  return "a new version in vault " + credential.vault;
}

std::map<std::string, std::string> StoredVersions(
    const std::vector<broker::StoredSecretInfo>& stored, const broker::policy::Config& config) {
  std::map<std::string, std::string> versions;
  for (const broker::StoredSecretInfo& info : stored) {
    const auto found = config.credentials.find(info.id.name);
    if (found == config.credentials.end()) continue;
    if (TypedSecretOf(found->second) != info.id.kind) continue;
    versions[info.id.name] = std::to_string(info.version);
  }
  return versions;
}

json EndingSoon(const broker::policy::Config& config, const CredentialUses& uses,
                const std::map<std::string, std::string>& versions, Clock::Wall now) {
  std::vector<json> rows;
  for (const auto& [name, credential] : config.credentials) {
    const auto version = versions.find(name);
    for (const End& end : EndsOf(credential, uses.Of(name),
                                 version == versions.end() ? std::string() : version->second)) {
      const Nearness nearness = NearnessOf(end, now);
      if (nearness == Nearness::kFar) continue;
      json row = AsJson(end, now);
      row.update(
          {{"credential", name}, {"level", NameOf(nearness)}, {"remedy", RemedyOf(credential)}});
      rows.push_back(std::move(row));
    }
  }
  std::ranges::stable_sort(rows, {}, [](const json& row) { return row["on"].get<int64_t>(); });
  return rows;
}

std::optional<Clock::Wall> ParseDay(std::string_view text) {
  const auto number = [&](size_t at, size_t size) {
    unsigned value = 0;
    const char* const end = text.data() + at + size;
    const auto read = std::from_chars(text.data() + at, end, value);
    return read.ec == std::errc() && read.ptr == end ? std::optional(value) : std::nullopt;
  };
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = number(0, 4), month = number(5, 2), day = number(8, 2);
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(*month), std::chrono::day(*day)};
  if (!date.ok()) return std::nullopt;
  return Clock::Wall(std::chrono::sys_days(date));
}

}  // namespace sidecar::broker_role
