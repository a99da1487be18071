// broker/notices.h: releases of rules with decision = "notify", for whoever watches.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace broker {

struct Notice {
  uint64_t seq = 0;  // of its token.issued entry
  int64_t unix_time = 0;
  std::string agent, rules, credential;
  std::vector<std::string> scopes;
};

/// The latest of them. Memory only: all are in the ledger. Thread-safe.
class Notices {
 public:
  static constexpr size_t kMax = 100;  // more than a person reads at a time

  /// `told` hears of each from then on, and must not wait. Before anything is added.
  void TellTo(std::function<void(const Notice&)> told) { told_ = std::move(told); }

  void Add(Notice notice) {
    if (told_) told_(notice);
    const std::scoped_lock lock(mutex_);
    if (notices_.size() == kMax) notices_.pop_front();
    notices_.push_back(std::move(notice));
  }
  /// Oldest first.
  [[nodiscard]] std::vector<Notice> List() const {
    const std::scoped_lock lock(mutex_);
    return {notices_.begin(), notices_.end()};
  }

 private:
  std::function<void(const Notice&)> told_;
  mutable std::mutex mutex_;
  std::deque<Notice> notices_;
};

}  // namespace broker
