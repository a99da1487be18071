// sidecar/supervisor/event_loop.h: one thread, epoll and timers.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "broker/base/result.h"
#include "broker/ports/clock.h"
#include "sidecar/ipc/frame.h"

namespace sidecar::supervisor {

/// Calls back when a descriptor is ready or a moment has come. Not thread-safe. Callbacks may add
/// and remove anything, themselves included.
class EventLoop {
 public:
  using Ready = std::function<void(uint32_t events)>;
  using Due = std::function<void()>;

  /// Ends the watching when it goes. The owner destroys it before it closes the descriptor: a copy
  /// of the descriptor in another process would keep epoll's entry alive.
  class Watch {
   public:
    Watch() = default;
    Watch(EventLoop* loop, uint64_t id) : loop_(loop), id_(id) {}
    ~Watch() { Reset(); }
    Watch(Watch&& other) noexcept
        : loop_(std::exchange(other.loop_, nullptr)), id_(std::exchange(other.id_, 0)) {}
    Watch& operator=(Watch&& other) noexcept;
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    void Reset();

   private:
    EventLoop* loop_ = nullptr;
    uint64_t id_ = 0;
  };

  explicit EventLoop(const broker::Clock& clock) : clock_(clock) {}
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Errors: kUnavailable (no descriptor left, out of memory).
  broker::Status Open();
  /// Level-triggered. `events` as of epoll_ctl(2); hang-ups are always told.
  /// Errors: kUnavailable.
  broker::Result<Watch> Add(int fd, uint32_t events, Ready ready);
  /// Calls `due` once, `in` from now.
  Watch After(broker::Clock::Steady::duration in, Due due);

  /// Waits for the next event, `at_most` long (negative: without limit), and calls back.
  void RunOnce(broker::Clock::Steady::duration at_most);
  /// RunOnce until Stop.
  void Run();
  void Stop() { stopped_ = true; }

 private:
  struct Entry {
    int fd = -1;
    std::shared_ptr<Ready> ready;
  };
  void Remove(uint64_t id);
  void CallDue();
  [[nodiscard]] int WaitMilliseconds(broker::Clock::Steady::duration at_most) const;

  const broker::Clock& clock_;
  ipc::Fd epoll_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Entry> entries_;
  std::map<std::pair<broker::Clock::Steady, uint64_t>, Due> timers_;
  std::map<uint64_t, broker::Clock::Steady> timer_times_;
  bool stopped_ = false;
};

}  // namespace sidecar::supervisor
