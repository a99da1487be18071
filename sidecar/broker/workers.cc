#include "sidecar/broker/workers.h"

#include <pthread.h>

#include <utility>

#include "sidecar/hardening/stack_wipe.h"

namespace sidecar::broker_role {

Workers::~Workers() {
  std::unique_lock lock(mutex_);
  closing_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return threads_ == 0; });
}

bool Workers::Start(Job job) {
  const std::scoped_lock lock(mutex_);
  if (under_way_ == limit_) return false;
  ++under_way_;
  queue_.push_back(std::move(job));
  if (waiting_ >= queue_.size()) {
    changed_.notify_one();
    return true;
  }
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  const bool started = pthread_create(&thread, &attributes, &Thread, this) == 0;
  pthread_attr_destroy(&attributes);
  if (started) {
    ++threads_;
  } else {
    queue_.pop_back();
    --under_way_;
  }
  return started;
}

void* Workers::Thread(void* self) {
  static_cast<Workers*>(self)->Work();
  return nullptr;
}

void Workers::Work() {
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
    hardening::WipeStack();
    lock.lock();
    --under_way_;
  }
  --threads_;
  changed_.notify_all();
}

}  // namespace sidecar::broker_role
