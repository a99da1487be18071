#include "sidecar/window/workers.h"

#include <sys/eventfd.h>

#include <chrono>
#include <system_error>
#include <utility>

namespace sidecar::window {

Workers::Workers(size_t limit)
    : limit_(limit), idle_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Workers::~Workers() {
  {
    const std::scoped_lock lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return threads_.empty(); });
  lock.unlock();
  JoinFinished();
}

void Workers::JoinFinished() {
  std::list<std::thread> finished;
  {
    const std::scoped_lock lock(mutex_);
    finished.swap(finished_);
  }
  for (std::thread& thread : finished) thread.join();
}

bool Workers::Start(Job job) {
  JoinFinished();
  const std::scoped_lock lock(mutex_);
  if (under_way_ == limit_) return false;
  ++under_way_;
  queue_.push_back(std::move(job));
  if (waiting_ >= queue_.size()) {
    changed_.notify_one();
    return true;
  }
  const auto self = threads_.emplace(threads_.end());
  try {
    *self = std::thread([this, self] { Work(self); });
  } catch (const std::system_error&) {  // the kernel has no more threads for us
    threads_.erase(self);
    queue_.pop_back();
    --under_way_;
    return false;
  }
  return true;
}

bool Workers::TakeIdle() {
  eventfd_t count = 0;
  static_cast<void>(eventfd_read(idle_event_.get(), &count));
  const std::scoped_lock lock(mutex_);
  return under_way_ == 0;
}

void Workers::Work(std::list<std::thread>::iterator self) {
  std::unique_lock lock(mutex_);
  while (true) {
    ++waiting_;
    changed_.wait_for(lock, kKeepIdle, [this] { return !queue_.empty() || closing_; });
    --waiting_;
    if (queue_.empty()) break;
    Job job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
    if (--under_way_ == 0) static_cast<void>(eventfd_write(idle_event_.get(), 1));
  }
  finished_.splice(finished_.end(), threads_, self);
  changed_.notify_all();
}

}  // namespace sidecar::window
