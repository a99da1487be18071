// Approvals: requests that are held until somebody has decided, and what is due.
#include <algorithm>
#include <utility>

#include "broker/approvals.h"
#include "broker/wait_until_due.h"

namespace broker {

void Approvals::Hold(const std::string& id, Clock::Steady until,
                     std::move_only_function<void()> resume) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = approvals_.find(id);
    const bool waits = found != approvals_.end() && !closed_ &&
                       found->second.state == ApprovalState::kPending &&
                       found->second.ends > ports_.clock.Now() && until > ports_.clock.Now();
    if (waits) {
      held_.push_back({id, until, std::move(resume)});
      Changed();
      return;
    }
  }
  resume();
}

void Approvals::Close() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  ResumeReady();
}

std::vector<Approvals::Held> Approvals::TakeReady() {
  const Clock::Steady now = ports_.clock.Now();
  const auto waits = [&](const Held& one) {
    const auto found = approvals_.find(one.id);
    return !closed_ && one.until > now && found != approvals_.end() &&
           found->second.state == ApprovalState::kPending && found->second.ends > now;
  };
  const auto ready = std::ranges::stable_partition(held_, waits);
  std::vector<Held> taken(std::make_move_iterator(ready.begin()),
                          std::make_move_iterator(ready.end()));
  held_.erase(ready.begin(), ready.end());
  return taken;
}

void Approvals::ResumeReady() {
  std::vector<Held> ready;
  {
    const std::scoped_lock lock(mutex_);
    ready = TakeReady();
  }
  for (Held& one : ready) one.resume();
}

Clock::Steady Approvals::NextDue() const {
  Clock::Steady due = Clock::Steady::max();
  for (const Held& one : held_) due = std::min(due, one.until);
  for (const auto& [id, approval] : approvals_) {
    if (approval.open()) due = std::min(due, std::max(approval.ends, retry_));
    if (approval.unwritten) due = std::min(due, retry_);
  }
  return due;
}

bool Approvals::WaitDue(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  return WaitUntilDue(lock, changed_, changes_, ports_.clock, stop, [this] { return NextDue(); });
}

void Approvals::EndOf(const std::set<std::string>& credentials) {
  const std::scoped_lock lock(mutex_);
  for (auto& [id, approval] : approvals_) {
    const bool meant = credentials.contains(approval.about.credential_name);
    if (meant && approval.open()) End(approval, ApprovalState::kExpired);
  }
  Changed();
}

void Approvals::Tick() {
  ResumeReady();
  const std::scoped_lock turn(turn_);
  Settle();
}

}  // namespace broker
