#include "token_cache/access_token_cache.h"

#include <algorithm>
#include <new>
#include <utility>

namespace token_cache {
namespace {

using broker::MintFunction, broker::MintResult, broker::Reason, broker::Refusal, broker::Refuse,
    broker::SharedToken, broker::TokenKey;

// Other callers wait for this flight: whatever happens, it must land.
MintResult MintOrRefuse(const MintFunction& mint) {
  try {
    MintResult result = mint();
    if (result && *result == nullptr) return Refuse(Reason::kInternal, {}, "mint gave no token");
    return result;
  } catch (const std::bad_alloc&) {
    return Refuse(Reason::kOverloaded, {}, "no memory left for tokens");
  } catch (...) {
    return Refuse(Reason::kInternal, {}, "mint threw");
  }
}

}  // namespace

Blame BlameOf(Reason reason) {
  switch (reason) {
    case Reason::kUpstreamInvalid:
    case Reason::kUpstreamUnavailable:
    case Reason::kUpstreamThrottled:
    case Reason::kLedgerUnavailable:
    case Reason::kSealed:
    case Reason::kStoreUnavailable:
    case Reason::kRestarting:
      return Blame::kOutage;
    case Reason::kMalformedRequest:
    case Reason::kMalformedJson:
    case Reason::kDuplicateField:
    case Reason::kUnknownField:
    case Reason::kWrongType:
    case Reason::kMissingField:
    case Reason::kValueOutOfRange:
    case Reason::kMixedResources:
    case Reason::kInvalidScope:
    case Reason::kAmbiguousDefault:
    case Reason::kClientSecretSent:
    case Reason::kUnsupportedGrantType:
    case Reason::kInvalidClaims:
    case Reason::kInvalidUserAssertion:
    case Reason::kNotFound:
    case Reason::kMethodNotAllowed:
    case Reason::kLengthRequired:
    case Reason::kContentTooLarge:
    case Reason::kUnsupportedMediaType:
    case Reason::kExpectationFailed:
    case Reason::kHeadTooLarge:
    case Reason::kRequestTimeout:
    case Reason::kNoRule:
    case Reason::kNever:
    case Reason::kPeerRefused:
    case Reason::kCallerGone:
    case Reason::kKilled:
    case Reason::kRoleMissing:
    case Reason::kPersonRequired:
    case Reason::kOwnRequest:
    case Reason::kApprovalPending:
    case Reason::kApprovalDenied:
    case Reason::kApprovalExpired:
    case Reason::kApprovalMismatch:
    case Reason::kApprovalLimit:
    case Reason::kTornDown:
    case Reason::kConflict:
    case Reason::kBudget:
    case Reason::kOverloaded:  // perhaps an agent that has too much under way
    case Reason::kInternal:    // perhaps an entry that no ledger line can hold, of the first asker
      return Blame::kCaller;
    case Reason::kOverScoped:
    case Reason::kMintedMismatch:
    case Reason::kLoginRequired:
    case Reason::kInteractionRequired:
    case Reason::kConsentRequired:
    case Reason::kConditionalAccess:
    case Reason::kPrincipalDisabled:
    case Reason::kCredentialRejected:
    case Reason::kCredentialNotEnrolled:
    case Reason::kCredentialUnavailable:
    case Reason::kCredentialRevoked:
    case Reason::kUpstreamRejected:
      return Blame::kGrant;
  }
  return Blame::kGrant;
}

bool AccessTokenCache::Serves(const Entry& entry, std::chrono::seconds min_validity) const {
  if (!entry.token) return false;
  const auto now = clock_.Now();
  if (entry.token->expires_at <= now) return false;
  return entry.token->expires_at - now >= min_validity || now - entry.token->minted_at < kFresh;
}

// What is handed out of it, if it serves.
SharedToken AccessTokenCache::Use(Entry& entry, std::chrono::seconds min_validity) {
  if (!Serves(entry, min_validity)) return nullptr;
  entry.last_use = ++uses_;
  if (!std::exchange(entry.used, true)) changed_.notify_all();
  return entry.token;
}

SharedToken AccessTokenCache::Find(const TokenKey& key, std::chrono::seconds min_validity) {
  const Lock lock(mutex_);
  const auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : Use(it->second, min_validity);
}

MintResult AccessTokenCache::GetOrMint(const TokenKey& key, std::chrono::seconds min_validity,
                                       const MintFunction& mint) {
  Lock lock(mutex_);
  while (true) {
    Entry& entry = entries_[key];
    if (SharedToken token = Use(entry, min_validity)) return token;
    entry.last_use = ++uses_;
    const auto flight = entry.flight;
    if (!flight) {
      const Refusal* refusal = OverScopedAt(key);
      if (refusal == nullptr) return Mint(lock, key, mint);
      if (!entry.token) entries_.erase(key);
      return std::unexpected(*refusal);
    }
    landed_.wait(lock, [&] { return flight->result.has_value(); });
    if (*flight->result || BlameOf(flight->result->error().reason) != Blame::kCaller)
      return *flight->result;
  }
}

MintResult AccessTokenCache::Mint(Lock& lock, const TokenKey& key, const MintFunction& mint) {
  const auto flight = std::make_shared<Flight>();
  entries_[key].flight = flight;
  lock.unlock();
  MintResult result = MintOrRefuse(mint);
  lock.lock();
  flight->result = result;
  // Evicted meanwhile: the result is its waiters' alone, and the entry, if any, is another's.
  if (const auto it = entries_.find(key); it != entries_.end() && it->second.flight == flight) {
    it->second.flight.reset();
    if (result) {
      Keep(key, *result);
    } else {
      Refused(key, result.error());
    }
  }
  landed_.notify_all();
  changed_.notify_all();
  return result;
}

void AccessTokenCache::Keep(const TokenKey& key, const SharedToken& token) {
  over_scoped_.erase(key);
  Entry& entry = entries_[key];
  DropToken(entry);
  entry = Entry{.token = token, .last_use = entry.last_use};
  ++tokens_;
  bytes_ += token->value.size();
  MakeRoom(key);
}

void AccessTokenCache::Refused(const TokenKey& key, const Refusal& refusal) {
  Entry& entry = entries_[key];
  if (refusal.reason == Reason::kOverScoped) Remember(key, refusal);
  if (BlameOf(refusal.reason) == Blame::kGrant) DropToken(entry);
  if (!entry.token) {
    entries_.erase(key);
    return;
  }
  const auto doubled = kFirstBackoff * (1 << std::min(entry.failures, 8));
  const auto backoff = std::min<std::chrono::seconds>(doubled, kMaxBackoff);
  ++entry.failures;
  entry.retry_at =
      clock_.Now() + std::max(backoff, refusal.retry_after.value_or(std::chrono::seconds{0}));
}

const Refusal* AccessTokenCache::OverScopedAt(const TokenKey& key) const {
  const auto it = over_scoped_.find(key);
  return it == over_scoped_.end() || clock_.Now() >= it->second.until ? nullptr
                                                                      : &it->second.refusal;
}

// Agents choose the claims of keys: beyond the limit nothing is remembered.
void AccessTokenCache::Remember(const TokenKey& key, const Refusal& over_scoped) {
  const auto now = clock_.Now();
  std::erase_if(over_scoped_, [&](const auto& one) { return now >= one.second.until; });
  if (over_scoped_.size() < limits_.tokens) {
    over_scoped_[key] = {over_scoped, now + kOverScopedPause};
  }
}

void AccessTokenCache::DropToken(Entry& entry) {
  if (!entry.token) return;
  --tokens_;
  bytes_ -= entry.token->value.size();
  entry.token.reset();
}

// The one that goes is of the credential that holds the most: an agent that has many minted takes
// no room from those who use another. Of that credential's, what was minted for an agent's claims
// goes first, then what was used least recently.
std::map<TokenKey, AccessTokenCache::Entry>::iterator AccessTokenCache::LeastMissed(
    const TokenKey& newest) {
  const auto rank = [](const auto& it) {
    return std::pair(it->first.claims.empty(), it->second.last_use);
  };
  auto least = entries_.end();
  size_t most = 0;
  for (auto it = entries_.begin(); it != entries_.end();) {  // a credential's stand side by side
    const std::string& credential = it->first.credential;
    auto candidate = entries_.end();
    size_t count = 0;
    for (; it != entries_.end() && it->first.credential == credential; ++it) {
      if (!it->second.token) continue;
      ++count;
      if (it->second.flight || it->first == newest) continue;
      if (candidate == entries_.end() || rank(it) < rank(candidate)) candidate = it;
    }
    if (candidate == entries_.end() || count < most) continue;
    if (count == most && candidate->second.last_use > least->second.last_use) continue;
    least = candidate;
    most = count;
  }
  return least;
}

void AccessTokenCache::MakeRoom(const TokenKey& newest) {
  while (tokens_ > limits_.tokens || bytes_ > limits_.bytes) {
    const auto least = LeastMissed(newest);
    if (least == entries_.end()) return;
    DropToken(least->second);
    entries_.erase(least);
  }
}

void AccessTokenCache::Evict(const std::string& credential) {
  const Lock lock(mutex_);
  std::erase_if(over_scoped_, [&](const auto& one) { return one.first.credential == credential; });
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (it->first.credential != credential) {
      ++it;
      continue;
    }
    DropToken(it->second);
    it = entries_.erase(it);
  }
  changed_.notify_all();
}

bool AccessTokenCache::IsFresh(const Entry& entry) const {
  return entry.token && clock_.Now() - entry.token->minted_at < kFresh;
}

void AccessTokenCache::Drop(const TokenKey& key) {
  const Lock lock(mutex_);
  const auto it = entries_.find(key);
  if (it == entries_.end() || !it->second.token || IsFresh(it->second)) return;
  DropToken(it->second);
  if (!it->second.flight) entries_.erase(it);
  changed_.notify_all();
}

void AccessTokenCache::Doubt(const TokenKey& key) {
  const Lock lock(mutex_);
  const auto it = entries_.find(key);
  if (it == entries_.end() || !it->second.token || IsFresh(it->second)) return;
  it->second.doubted = true;
  changed_.notify_all();
}

bool AccessTokenCache::IsDue(const Entry& entry) const {
  const auto now = clock_.Now();
  return entry.token && entry.used && !entry.flight && entry.token->expires_at > now &&
         (entry.doubted || entry.token->refresh_at <= now) && entry.retry_at <= now;
}

std::vector<TokenKey> AccessTokenCache::CollectDue() const {
  std::vector<TokenKey> due;
  for (const auto& [key, entry] : entries_) {
    if (IsDue(entry)) due.push_back(key);
  }
  return due;
}

std::vector<TokenKey> AccessTokenCache::Due() {
  const Lock lock(mutex_);
  return CollectDue();
}

std::optional<broker::Clock::Steady> AccessTokenCache::NextEvent() const {
  std::optional<broker::Clock::Steady> next;
  for (const auto& [key, entry] : entries_) {
    if (!entry.token) continue;
    auto at = entry.token->expires_at;
    if (entry.used && !entry.flight)
      at = std::min(
          at, entry.doubted ? entry.retry_at : std::max(entry.token->refresh_at, entry.retry_at));
    if (!next || at < *next) next = at;
  }
  return next;
}

std::vector<TokenKey> AccessTokenCache::WaitDue(const std::stop_token& stop) {
  Lock lock(mutex_);
  while (!stop.stop_requested()) {
    Sweep();
    if (auto due = CollectDue(); !due.empty()) return due;
    // A change that was notified just before this wait is already in NextEvent: the lock is held.
    bool changed = false;  // so that any notification ends the wait, and Due() is looked at again
    const auto woken = [&changed] { return std::exchange(changed, true); };
    if (const auto next = NextEvent()) {
      changed_.wait_for(lock, stop, *next - clock_.Now(), woken);
    } else {
      changed_.wait(lock, stop, woken);
    }
  }
  return {};
}

bool AccessTokenCache::Renew(const TokenKey& key, const MintFunction& mint) {
  Lock lock(mutex_);
  const auto it = entries_.find(key);
  if (it == entries_.end() || it->second.flight) return true;
  return Mint(lock, key, mint).has_value();
}

size_t AccessTokenCache::Sweep() {
  const auto now = clock_.Now();
  size_t swept = 0;
  for (auto it = entries_.begin(); it != entries_.end();) {
    Entry& entry = it->second;
    if (!entry.token || entry.token->expires_at > now) {
      ++it;
      continue;
    }
    DropToken(entry);
    ++swept;
    it = entry.flight ? std::next(it) : entries_.erase(it);
  }
  return swept;
}

size_t AccessTokenCache::SweepExpired() {
  const Lock lock(mutex_);
  return Sweep();
}

size_t AccessTokenCache::size() const {
  const Lock lock(mutex_);
  return tokens_;
}

}  // namespace token_cache
