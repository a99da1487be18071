// sidecar/ipc/ledger_waiters.h: threads that wait for the ledger's answers.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "sidecar/ipc/ledger_answer.h"

namespace sidecar::ipc {

/// One thread that waits; lives on its stack. Another one writes the answer and then `word`, which
/// is the only field that the thread reads before it is kDone.
struct LedgerWaiter {
  static constexpr uint32_t kWaiting = 0, kLeads = 1, kDone = 2;

  [[nodiscard]] bool done() const { return word.load(std::memory_order_acquire) == kDone; }
  /// Sleeps until another thread has something for this one, or the deadline; may return early.
  void Sleep(Deadline deadline);

  std::atomic<uint32_t> word{kWaiting};
  broker::Result<broker::LedgerReceipt> receipt = ChannelClosed();  // of an append
  broker::Result<LedgerState> state = ChannelClosed();              // of a question
  bool orders = false;                                              // it is no question
  broker::Result<std::string> text = ChannelClosed();               // of an order
};

/// Those that wait on one channel, each for one answer. Of them one leads: it receives for all. So
/// a lone appender gets its acknowledgement without any switch to another thread. Thread-safe.
class LedgerWaiters {
 public:
  // The place of the one question under way; appends begin at 1.
  static constexpr uint64_t kQuestionId = 0;

  /// `attended`: a thread that does not wait here receives, and nobody leads.
  explicit LedgerWaiters(bool attended) : attended_(attended) {}

  /// False, and `me` is left as it was, after Close().
  bool Add(uint64_t id, LedgerWaiter* me);
  /// Whether `me`, which is not done, is the one to receive now.
  bool TakeLead(LedgerWaiter* me);
  /// To be called by each that is done: somebody must receive for those who still wait. When it
  /// returns, no other thread refers to `*me`.
  void PassLead(LedgerWaiter* me);
  /// `me` waits no longer, and is done.
  void GiveUp(uint64_t id, LedgerWaiter* me);

  /// Answers of those who gave up are dropped. REQUIRES: the thread that receives.
  void Deliver(const std::vector<Ack>& acks);
  void Deliver(LedgerState state);
  void Deliver(std::string text);
  /// Everybody is done, with ChannelClosed(), now and from now on.
  void Close();

 private:
  using Words = std::vector<std::atomic<uint32_t>*>;
  void Finish(LedgerWaiter* waiter, Words* words);
  static void Wake(Words* words);

  const bool attended_;
  Words finished_;  // to be woken; of the thread that receives
  std::mutex mutex_;
  bool closed_ = false;
  std::unordered_map<uint64_t, LedgerWaiter*> waiters_;
  std::atomic<LedgerWaiter*> leader_ = nullptr;  // written under the mutex
};

}  // namespace sidecar::ipc
