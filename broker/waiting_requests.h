// broker/waiting_requests.h: requests that wait for a token to be minted, and how they end early.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "broker/reason.h"

namespace broker {

/// One of them. Whoever claims it answers it and nobody else does: the thread that has its token,
/// or the one that stops its agent. Thread-safe.
class WaitingRequest {
 public:
  using Refuse = std::move_only_function<void(Refusal)>;

  WaitingRequest(std::string agent, Refuse refuse)
      : agent_(std::move(agent)), refuse_(std::move(refuse)) {}
  /// True once, for one thread.
  [[nodiscard]] bool Claim() { return !claimed_.exchange(true); }

 private:
  friend class WaitingRequests;
  const std::string agent_;
  Refuse refuse_;
  std::atomic<bool> claimed_ = false;
};

/// Thread-safe. Lives longer than what it gives out.
class WaitingRequests {
 public:
  /// It waits until the result is claimed or let go of.
  std::shared_ptr<WaitingRequest> Add(std::string agent, WaitingRequest::Refuse refuse);
  /// Refuses those of `agent` that nobody has claimed; all agents' where it is empty.
  void RefuseAll(std::string_view agent, const Refusal& refusal);

 private:
  std::mutex mutex_;
  std::map<const WaitingRequest*, std::weak_ptr<WaitingRequest>> waiting_;
};

}  // namespace broker
