#include "broker/credential_uses.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "broker/base/strict_json.h"
#include "broker/base/unix_time.h"

namespace broker {
namespace {

using nlohmann::json;
using std::chrono::seconds;

Clock::Wall FromUnix(int64_t unix_seconds) { return Clock::Wall(seconds(unix_seconds)); }

// The text of one row; null where there is nothing worth keeping. The day, not the second: a text
// that changes with each use would be a commit for each.
json KeptRow(const CredentialUse& use) {
  json row;
  if (use.minted) {
    constexpr int64_t kStep = seconds(CredentialUses::kKeepStep).count();
    row["minted"] = UnixSeconds(*use.minted) / kStep * kStep;
  }
  if (use.expiry) {
    row["expires"] = UnixSeconds(use.expiry->at);
    row["by"] = static_cast<int>(use.expiry->by);
    row["version"] = use.expiry->version;
  }
  return row;
}

bool ReadRow(const json& row, CredentialUse* use) {
  if (!row.is_object()) return false;
  if (const auto minted = row.find("minted"); minted != row.end()) {
    if (!minted->is_number_unsigned()) return false;
    use->minted = FromUnix(minted->get<int64_t>());
  }
  const auto expires = row.find("expires");
  if (expires == row.end()) return true;
  const auto by = row.find("by");
  const auto version = row.find("version");
  if (!expires->is_number_unsigned() || by == row.end() || !by->is_number_unsigned() ||
      version == row.end() || !version->is_string()) {
    return false;
  }
  const auto source = by->get<uint64_t>();
  if (source > static_cast<uint64_t>(Expiry::By::kOperator)) return false;
  use->expiry = Expiry{FromUnix(expires->get<int64_t>()), static_cast<Expiry::By>(source),
                       version->get<std::string>()};
  return true;
}

}  // namespace

void CredentialUses::Minted(const std::string& credential, std::string version) {
  const std::scoped_lock lock(mutex_);
  CredentialUse& use = uses_[credential];
  use.last = use.minted = clock_.WallNow();
  use.refusal.reset();
  if (!version.empty()) use.version = std::move(version);
}

void CredentialUses::Refused(const std::string& credential, Reason reason) {
  const std::scoped_lock lock(mutex_);
  CredentialUse& use = uses_[credential];
  use.last = clock_.WallNow();
  use.refusal = reason;
}

void CredentialUses::Saw(const std::string& credential, Expiry expiry) {
  const std::scoped_lock lock(mutex_);
  auto& known = uses_[credential].expiry;
  const bool other_source = known && known->version == expiry.version && known->by != expiry.by;
  if (other_source && known->at <= expiry.at) return;
  known = std::move(expiry);
}

void CredentialUses::Enrolled(const std::string& credential, std::optional<Expiry> expiry) {
  const std::scoped_lock lock(mutex_);
  uses_[credential].expiry = std::move(expiry);
}

CredentialUse CredentialUses::Of(const std::string& credential) const {
  const std::scoped_lock lock(mutex_);
  const auto found = uses_.find(credential);
  return found == uses_.end() ? CredentialUse() : found->second;
}

std::string CredentialUses::Kept() const {
  json rows = json::object();
  const std::scoped_lock lock(mutex_);
  for (const auto& [name, use] : uses_) {
    json row = KeptRow(use);
    if (!row.is_null()) rows[name] = std::move(row);
  }
  return rows.dump(-1, ' ', false, json::error_handler_t::replace);
}

Status CredentialUses::Restore(std::string_view kept) {
  const auto rows = ParseStrictJson(kept);
  if (!rows || !rows->is_object()) return Fail(ErrorCode::kCorrupt, "kept uses: not an object");
  std::map<std::string, CredentialUse> restored;
  for (const auto& [name, row] : rows->items()) {
    if (!ReadRow(row, &restored[name])) {
      return Fail(ErrorCode::kCorrupt, "kept uses: a row is malformed");
    }
  }
  const std::scoped_lock lock(mutex_);
  for (auto& [name, use] : restored) {
    CredentialUse& known = uses_[name];
    if (!known.minted) known.minted = use.minted;
    if (!known.expiry) known.expiry = std::move(use.expiry);
  }
  return {};
}

}  // namespace broker
