// sidecar/ipc/ledger_continuations.h: what is to be done when the ledger has answered.
#pragma once
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sidecar/ipc/ledger_answer.h"

namespace sidecar::ipc {

/// Each is run once, without any lock held, with the answer or why there is none. One that throws
/// is dropped: nothing that it throws may keep an answer from the others. Thread-safe.
class LedgerContinuations {
 public:
  using Done = broker::LedgerSink::Done;

  /// `patience`: how long an answer may take; it is given up at the latest when that has passed
  /// twice.
  explicit LedgerContinuations(std::chrono::milliseconds patience) : patience_(patience) {}

  /// False, and `done` is left to the caller, after Close().
  bool Add(uint64_t id, Done& done);

  /// Answers to what was given up are dropped. REQUIRES: the thread that receives.
  void Deliver(const std::vector<Ack>& acks);
  /// To be called often; looks once in `patience`. REQUIRES: the thread that receives.
  void GiveUpLate();
  /// Runs all with ChannelClosed().
  void Close();

 private:
  struct Continuation {
    Done done;
    Deadline deadline;
  };

  const std::chrono::milliseconds patience_;
  // Of the thread that receives.
  std::vector<std::pair<Done, broker::Result<broker::LedgerReceipt>>> answered_;
  Deadline next_look_{};

  std::mutex mutex_;
  bool closed_ = false;
  std::unordered_map<uint64_t, Continuation> continuations_;
};

}  // namespace sidecar::ipc
