#include "sidecar/supervisor/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

namespace sidecar::supervisor {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result;
using Duration = broker::Clock::Steady::duration;

constexpr size_t kEventsPerRound = 64;  // bounds how long a timer waits for descriptors

}  // namespace

EventLoop::Watch& EventLoop::Watch::operator=(Watch&& other) noexcept {
  if (this != &other) {
    Reset();
    loop_ = std::exchange(other.loop_, nullptr);
    id_ = std::exchange(other.id_, 0);
  }
  return *this;
}

void EventLoop::Watch::Reset() {
  if (loop_ != nullptr) loop_->Remove(id_);
  loop_ = nullptr;
}

broker::Status EventLoop::Open() {
  epoll_ = ipc::Fd(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) {
    return Fail(ErrorCode::kUnavailable, std::string("epoll_create1: ") + strerrorname_np(errno));
  }
  return {};
}

Result<EventLoop::Watch> EventLoop::Add(int fd, uint32_t events, Ready ready) {
  const uint64_t id = next_id_++;
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return Fail(ErrorCode::kUnavailable, std::string("epoll_ctl: ") + strerrorname_np(errno));
  }
  entries_[id] = {fd, std::make_shared<Ready>(std::move(ready))};
  return Watch(this, id);
}

EventLoop::Watch EventLoop::After(Duration in, Due due) {
  const uint64_t id = next_id_++;
  const auto when = clock_.Now() + in;
  timers_.emplace(std::pair{when, id}, std::move(due));
  timer_times_[id] = when;
  return {this, id};
}

void EventLoop::Remove(uint64_t id) {
  if (const auto entry = entries_.find(id); entry != entries_.end()) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, entry->second.fd, nullptr);
    entries_.erase(entry);
  } else if (const auto timer = timer_times_.find(id); timer != timer_times_.end()) {
    timers_.erase({timer->second, id});
    timer_times_.erase(timer);
  }
}

void EventLoop::CallDue() {
  const auto now = clock_.Now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    auto node = timers_.extract(timers_.begin());
    timer_times_.erase(node.key().second);
    node.mapped()();
  }
}

int EventLoop::WaitMilliseconds(Duration at_most) const {
  using std::chrono::milliseconds;
  if (timers_.empty() && at_most < Duration::zero()) return -1;
  Duration wait = at_most < Duration::zero() ? Duration::max() : at_most;
  if (!timers_.empty()) wait = std::min(wait, timers_.begin()->first.first - clock_.Now());
  // Rounded up: a timer woken a fraction early would spin until its moment.
  const auto ms = std::chrono::ceil<milliseconds>(std::max(wait, Duration::zero())).count();
  return static_cast<int>(std::min<int64_t>(ms, std::numeric_limits<int>::max()));
}

void EventLoop::RunOnce(Duration at_most) {
  std::array<epoll_event, kEventsPerRound> events{};
  const int count =
      epoll_wait(epoll_.get(), events.data(), kEventsPerRound, WaitMilliseconds(at_most));
  for (int i = 0; i < count; ++i) {
    // An earlier callback of this round may have removed the entry.
    const auto entry = entries_.find(events.at(static_cast<size_t>(i)).data.u64);
    if (entry == entries_.end()) continue;
    const std::shared_ptr<Ready> ready = entry->second.ready;  // survives its own removal
    (*ready)(events.at(static_cast<size_t>(i)).events);
  }
  CallDue();
}

void EventLoop::Run() {
  stopped_ = false;
  while (!stopped_) RunOnce(Duration{-1});
}

}  // namespace sidecar::supervisor
