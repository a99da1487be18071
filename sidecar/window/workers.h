// sidecar/window/workers.h: threads for connections, kept a while for the next one.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "sidecar/ipc/frame.h"

namespace sidecar::window {

/// Runs each job on a thread of its own, up to a limit. Start and the destructor belong to one
/// thread.
class Workers {
 public:
  using Job = std::move_only_function<void()>;
  // A thread that waits for a job costs a few pages; starting one costs as much as ten requests.
  static constexpr std::chrono::seconds kKeepIdle{5};

  explicit Workers(size_t limit);
  /// Waits for all jobs.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// False, and nothing is run, while `limit` jobs are under way.
  bool Start(Job job);
  /// Becomes readable each time that the last job under way ends.
  [[nodiscard]] int idle_event() const { return idle_event_.get(); }
  /// Clears the event; true if no job is under way.
  bool TakeIdle();

 private:
  void Work(std::list<std::thread>::iterator self);
  void JoinFinished();

  size_t limit_;
  ipc::Fd idle_event_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> queue_;           // jobs that a waiting thread will take
  std::list<std::thread> threads_;  // running
  std::list<std::thread> finished_;
  size_t waiting_ = 0;    // threads without a job
  size_t under_way_ = 0;  // jobs, queued ones included
  bool closing_ = false;
};

}  // namespace sidecar::window
