// sidecar/ipc/ledger_channel.h: one channel to one life of the ledger, shared by many threads.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <string_view>

#include "sidecar/ipc/append_queue.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/ledger_continuations.h"
#include "sidecar/ipc/ledger_waiters.h"

namespace sidecar::ipc {

/// Every send and receive on `fd` ends after `patience`.
void BoundWaits(int fd, std::chrono::milliseconds patience);

/// Appends and one question at a time; whoever waits, or what is to be done, gets the answer. Once
/// closed it stays so. Thread-safe. What LedgerClient does, for a ledger that may be restarted.
class LedgerChannel {
 public:
  /// `patience` bounds every send and receive, so that a ledger that hangs does not hang its
  /// callers. `attended`: a thread in Attend() receives, else one of those in Exchange().
  LedgerChannel(Fd fd, std::chrono::milliseconds patience, bool attended);

  /// Sends `message`, of one frame, and waits for the answer with `id`, which lands in `*me`. When
  /// it returns, no other thread refers to `*me`.
  void Exchange(uint64_t id, std::string_view message, LedgerWaiter* me);
  /// Sends `message`, an Append of one frame, with the next Flush() if it is `held`. What answers
  /// it, or why nothing does, is given to `done` by the thread that receives, or by this one.
  void SendThen(uint64_t id, std::string_view message, bool held, broker::LedgerSink::Done done);
  void Flush();
  /// Sends `message`, of one frame, which nothing answers here, with the descriptor `fd`.
  broker::Status SendAlone(std::string_view message, int fd);

  /// Everybody who waits gets kUnavailable, now and from now on.
  void Close();
  [[nodiscard]] bool closed() const { return closed_; }

  /// Receives for all until the channel is closed; `rest` is called after each batch.
  void Attend(const std::function<void()>& rest);

 private:
  void ReceiveOnce();
  bool Deliver(std::string_view bytes);

  const Fd fd_;
  const std::chrono::milliseconds patience_;
  Message received_;  // of the thread that receives
  std::atomic<bool> closed_ = false;
  LedgerWaiters waiters_;
  LedgerContinuations continuations_;
  AppendQueue unsent_;  // by threads that do not wait
};

}  // namespace sidecar::ipc
