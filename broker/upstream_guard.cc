#include "broker/upstream_guard.h"

#include <algorithm>
#include <utility>

#include "broker/ledger/line_writer.h"

namespace broker {
namespace {

Refusal Wait(Reason reason, Clock::Steady until, Clock::Steady now, std::string detail) {
  Refusal refusal{reason, {}, std::move(detail), std::nullopt};
  refusal.retry_after = std::chrono::ceil<std::chrono::seconds>(until - now);
  return refusal;
}

std::string SecondsOf(Clock::Wall time) {
  std::string text;
  ledger::AppendTime(time, &text);
  text.erase(text.find('.'), text.find('Z') - text.find('.'));
  return text;
}

}  // namespace

// What does not change with the outcome of a trial.
std::optional<Refusal> UpstreamGuard::Standing(const Memory& memory, Clock::Steady now) const {
  if (memory.dead_grant) return memory.dead_grant;
  if (memory.rejection && now < memory.rejected_until) return memory.rejection;
  if (now < memory.not_before) {
    return Wait(Reason::kUpstreamThrottled, memory.not_before, now, "Retry-After has not passed");
  }
  if (memory.unread && now < memory.unread_until) {
    return Wait(*memory.unread, memory.unread_until, now, memory.detail);
  }
  return std::nullopt;
}

std::optional<Refusal> UpstreamGuard::Tripped(Memory& memory, Clock::Steady now) const {
  if (memory.pause.count() == 0) return std::nullopt;
  if (now < memory.trial_at) {
    return Wait(Reason::kUpstreamUnavailable, memory.trial_at, now, "circuit breaker is open");
  }
  memory.trial_at = now + memory.pause;  // this one is the trial; the others go on waiting
  return std::nullopt;
}

std::optional<Refusal> UpstreamGuard::Check(const std::string& credential) {
  const std::scoped_lock lock(mutex_);
  Memory& memory = memory_[credential];
  const auto now = clock_.Now();
  if (auto refusal = Standing(memory, now)) return refusal;
  return Tripped(memory, now);
}

// No credential's name has a line end.
std::string UpstreamGuard::WithClaims(const std::string& credential, const std::string& agent) {
  return credential + "\n" + agent;
}

std::optional<Refusal> UpstreamGuard::CheckWithClaims(const std::string& credential,
                                                      const std::string& agent) {
  {
    const std::scoped_lock lock(mutex_);
    if (auto refusal = Standing(memory_[credential], clock_.Now())) return refusal;
  }
  return Check(WithClaims(credential, agent));
}

void UpstreamGuard::Answered(const std::string& credential) {
  const std::scoped_lock lock(mutex_);
  Memory& memory = memory_[credential];
  memory.failures = 0;
  memory.pause = {};
  memory.unread.reset();
}

void UpstreamGuard::NeverAsked(const std::string& credential) {
  const std::scoped_lock lock(mutex_);
  Memory& memory = memory_[credential];
  if (memory.pause.count() != 0) memory.trial_at = std::min(memory.trial_at, clock_.Now());
}

// Whatever it is now, the secret was read.
UpstreamGuard::Memory& UpstreamGuard::Failed(const std::string& credential,
                                             const std::string& detail) {
  Memory& memory = memory_[credential];
  if (memory.since == Clock::Wall{}) memory.since = clock_.WallNow();
  memory.detail = detail;
  memory.unread.reset();
  return memory;
}

void UpstreamGuard::Succeeded(const std::string& credential) { Forget(credential); }

void UpstreamGuard::FailedTransiently(const std::string& credential, const std::string& detail) {
  const std::scoped_lock lock(mutex_);
  Memory& memory = Failed(credential, detail);
  if (++memory.failures < kFailuresToOpen) return;
  memory.pause =
      memory.pause.count() == 0 ? kFirstPause : std::min(memory.pause * 2, kLongestPause);
  memory.trial_at = clock_.Now() + memory.pause;
}

void UpstreamGuard::Throttled(const std::string& credential, std::chrono::seconds wait,
                              const std::string& detail) {
  const std::scoped_lock lock(mutex_);
  Memory& memory = Failed(credential, detail);
  memory.not_before = std::max(memory.not_before, clock_.Now() + wait);
}

void UpstreamGuard::Rejected(const std::string& credential, Refusal refusal,
                             std::chrono::seconds pause) {
  const std::scoped_lock lock(mutex_);
  Memory& memory = Failed(credential, refusal.detail);
  memory.rejection = std::move(refusal);
  memory.rejected_until = clock_.Now() + pause;
}

void UpstreamGuard::SecretUnread(const std::string& credential, Refusal refusal) {
  const std::scoped_lock lock(mutex_);
  Memory& memory = Failed(credential, refusal.detail);
  memory.unread = refusal.reason;
  memory.unread_until = clock_.Now() + refusal.retry_after.value_or(std::chrono::seconds{0});
}

void UpstreamGuard::DiscoveryFailed(const std::string& credential, const Refusal& refusal) {
  if (refusal.retry_after) Throttled(credential, *refusal.retry_after, refusal.detail);
  if (refusal.reason == Reason::kUpstreamUnavailable) {
    FailedTransiently(credential, refusal.detail);
  } else if (!refusal.retry_after) {
    Rejected(credential, refusal);
  }
}

void UpstreamGuard::GrantDied(const std::string& credential, Refusal refusal) {
  const std::scoped_lock lock(mutex_);
  Failed(credential, refusal.detail).dead_grant = std::move(refusal);
}

void UpstreamGuard::Forget(const std::string& credential) {
  const std::scoped_lock lock(mutex_);
  const std::string of_claims = WithClaims(credential, {});
  std::erase_if(memory_, [&](const auto& one) {
    return one.first == credential || one.first.starts_with(of_claims);
  });
}

std::optional<Reason> UpstreamGuard::TroubleOf(const Memory& memory, Clock::Steady now) {
  if (memory.dead_grant) return memory.dead_grant->reason;
  if (memory.rejection && now < memory.rejected_until) return memory.rejection->reason;
  if (memory.unread) return memory.unread;
  if (now < memory.not_before) return Reason::kUpstreamThrottled;
  if (memory.pause.count() != 0) return Reason::kUpstreamUnavailable;
  return std::nullopt;
}

std::vector<UpstreamGuard::Trouble> UpstreamGuard::Troubles() {
  const std::scoped_lock lock(mutex_);
  const auto now = clock_.Now();
  std::vector<Trouble> troubles;
  for (const auto& [credential, memory] : memory_) {
    if (credential.contains('\n')) continue;  // one agent's own claims trouble nobody else
    const auto reason = TroubleOf(memory, now);
    if (!reason) continue;
    troubles.push_back({"credential " + credential + ": " + std::string(Describe(*reason).name) +
                            " since " + SecondsOf(memory.since),
                        memory.detail});
  }
  return troubles;
}

}  // namespace broker
