#include "vault_adapters/fetch_policy.h"

#include <algorithm>
#include <new>
#include <utility>

namespace vault {

using broker::Clock, broker::ErrorCode, broker::Fail, broker::SecretId, broker::VaultResult,
    broker::VaultSecret;

FetchPolicy::Fetched FetchPolicy::CopyOf(const Fetched& result) {
  if (!result) return std::unexpected(result.error());
  return VaultSecret{result->value.Clone(), result->version, result->host, result->expires};
}

void FetchPolicy::Forget(Entry& entry) {
  ++entry.generation;
  entry.kept.reset();
}

// Other callers wait for this flight: whatever happens, it must land.
FetchPolicy::Fetched FetchPolicy::Ask(const SecretId& id) {
  try {
    return vault_.Fetch(id);
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kUnavailable, "no memory left for secrets");
  } catch (...) {
    return Fail(ErrorCode::kCorrupt, "a fault of purser in reading the vault's answer");
  }
}

Clock::Steady FetchPolicy::KeepUntil(const Fetched& result) const {
  const auto now = clock_.Now();
  if (!result) return now + kFailurePause;
  auto keep = std::chrono::duration_cast<Clock::Steady::duration>(time_to_live_);
  if (result->expires) {
    keep = std::min(keep, std::chrono::duration_cast<Clock::Steady::duration>(*result->expires -
                                                                              clock_.WallNow()));
  }
  return now + keep;
}

// The steady clock stands while a machine sleeps, and knows nothing of a wall clock that was set:
// the secret's own expiry is held against the latter each time.
bool FetchPolicy::Serves(const Entry& entry) const {
  if (!entry.kept || clock_.Now() >= entry.kept_until) return false;
  const Fetched& result = entry.kept->result;
  return !result || !result->expires || clock_.WallNow() < *result->expires;
}

VaultResult<VaultSecret> FetchPolicy::Fetch(const SecretId& id) {
  std::unique_lock lock(mutex_);
  Entry& entry = entries_[id];
  for (;;) {
    if (Serves(entry)) return CopyOf(entry.kept->result);
    entry.kept.reset();
    const auto flight = entry.flight;
    if (!flight) break;
    landed_.wait(lock, [&] { return flight->done; });
    // One that started before the secret was invalidated may bring what was invalidated.
    if (flight->generation == entry.generation) return CopyOf(flight->result);
  }
  const auto mine = std::make_shared<Flight>();
  mine->generation = entry.generation;
  entry.flight = mine;
  lock.unlock();
  Fetched fetched = Ask(id);
  lock.lock();
  mine->result = std::move(fetched);
  mine->done = true;
  entry.flight.reset();
  if (mine->generation == entry.generation) {
    entry.kept_until = KeepUntil(mine->result);
    if (clock_.Now() < entry.kept_until) entry.kept = mine;
  }
  landed_.notify_all();
  return CopyOf(mine->result);
}

VaultResult<std::string> FetchPolicy::Replace(const SecretId& id,
                                              const std::string& expected_version,
                                              const broker::Secret& value) {
  auto replaced = vault_.Replace(id, expected_version, value);
  const std::scoped_lock lock(mutex_);
  Forget(entries_[id]);
  return replaced;
}

void FetchPolicy::Invalidate(const SecretId& id, const std::string& version) {
  vault_.Invalidate(id, version);
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  const bool keeps_it = entry.kept && entry.kept->result && entry.kept->result->version == version;
  if (keeps_it) Forget(entry);
}

void FetchPolicy::Sweep() {
  const std::scoped_lock lock(mutex_);
  for (auto& [id, entry] : entries_) {
    if (!Serves(entry)) entry.kept.reset();
  }
}

}  // namespace vault
