// sidecar/supervisor/flood_log.h: one event of the operational log that strangers can cause.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>

#include "broker/base/log.h"
#include "sidecar/supervisor/event_loop.h"

namespace sidecar::supervisor {

/// Writes the first few lines of a kind in each window in full, counts the others, and writes one
/// line with the count when the window ends: whoever floods, the log grows by a bounded number of
/// lines a minute. The ledger has its own count of what happened. Not thread-safe.
class FloodLog {
 public:
  static constexpr uint64_t kInFull = 5;  // a person who tries things out sees each line
  // More kinds than there are faults for one agent; what comes after them is counted.
  static constexpr size_t kMaxKinds = 16;
  static constexpr std::chrono::seconds kWindow{60};

  /// Borrows `loop` and `log`.
  FloodLog(EventLoop& loop, const broker::Log& log, std::string event)
      : loop_(loop), log_(log), event_(std::move(event)) {}
  ~FloodLog() { EndWindow(); }
  FloodLog(const FloodLog&) = delete;
  FloodLog& operator=(const FloodLog&) = delete;

  /// A warning, or one more to count. Lines of the same `kind` differ in nothing of interest.
  void Warn(const std::string& kind, std::initializer_list<broker::LogField> fields);

 private:
  void EndWindow();

  EventLoop& loop_;
  const broker::Log& log_;
  std::string event_;
  std::map<std::string, uint64_t> in_full_;  // lines written of each kind, in this window
  uint64_t counted_ = 0;
  EventLoop::Watch window_;
};

}  // namespace sidecar::supervisor
