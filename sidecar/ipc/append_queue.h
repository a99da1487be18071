// sidecar/ipc/append_queue.h: entries on their way to the ledger, as many in a frame as fit.
#pragma once
#include <deque>
#include <mutex>
#include <string>
#include <string_view>

namespace sidecar::ipc {

/// Holds what the ledger's queue does not take yet: nobody who appends waits for room. Bounded by
/// what is under way. Thread-safe. Needs sendmsg of a seccomp filter.
class AppendQueue {
 public:
  /// REQUIRES: `message` is an encoded Append of one frame.
  void Add(std::string_view message);

  /// Sends what the ledger's queue takes now. What stays needs another call, after the next
  /// acknowledgement: one is on its way for what fills the queue. False: the ledger is gone.
  [[nodiscard]] bool Flush(int fd);

 private:
  std::mutex mutex_;
  std::deque<std::string> frames_;  // only the last one still grows
};

}  // namespace sidecar::ipc
