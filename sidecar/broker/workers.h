// sidecar/broker/workers.h: threads for what has to wait.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>

namespace sidecar::broker_role {

/// Runs each job on a thread of its own at once, up to a limit: jobs wait for Entra, the ledger or
/// each other, so that they never queue. A thread without a job waits for the next one a while.
/// Thread-safe.
class Workers {
 public:
  using Job = std::move_only_function<void()>;
  // Starting a thread costs as much as ten requests; one that waits costs a few pages.
  static constexpr std::chrono::seconds kKeepIdle{5};
  // TLS handshakes need about 100 kB; the rest is never touched and costs address space only.
  static constexpr size_t kStackBytes = size_t{1} << 20;

  explicit Workers(size_t limit) : limit_(limit) {}
  /// Waits for all jobs.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// False, and `job` is not run, while `limit` jobs are under way or the kernel has no thread.
  /// `job` must not throw.
  bool Start(Job job);

 private:
  static void* Thread(void* self);
  void Work();

  const size_t limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> queue_;  // for threads that wait
  size_t threads_ = 0;
  size_t waiting_ = 0;    // threads without a job
  size_t under_way_ = 0;  // jobs, queued ones included
  bool closing_ = false;
};

}  // namespace sidecar::broker_role
