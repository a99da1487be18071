#include "sidecar/ipc/ledger_continuations.h"

#include <iterator>

namespace sidecar::ipc {
namespace {

void Run(LedgerContinuations::Done& done, broker::Result<broker::LedgerReceipt> receipt) {
  try {
    done(std::move(receipt));
  } catch (...) {
    done = nullptr;  // whoever waits for it learns so from its end
  }
}

}  // namespace

bool LedgerContinuations::Add(uint64_t id, Done& done) {
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  const std::scoped_lock lock(mutex_);
  if (!closed_) continuations_.emplace(id, Continuation{std::move(done), deadline});
  return !closed_;
}

void LedgerContinuations::Deliver(const std::vector<Ack>& acks) {
  {
    const std::scoped_lock lock(mutex_);
    for (const Ack& ack : acks) {
      const auto it = continuations_.find(ack.id);
      if (it == continuations_.end()) continue;
      answered_.emplace_back(std::move(it->second.done), ReceiptOf(ack));
      continuations_.erase(it);
    }
  }
  for (auto& [done, receipt] : answered_) Run(done, std::move(receipt));
  answered_.clear();
}

void LedgerContinuations::GiveUpLate() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_look_) return;
  next_look_ = now + patience_;
  {
    const std::scoped_lock lock(mutex_);
    for (auto it = continuations_.begin(); it != continuations_.end();) {
      const bool late = it->second.deadline <= now;
      if (late) answered_.emplace_back(std::move(it->second.done), NotInTime());
      it = late ? continuations_.erase(it) : std::next(it);
    }
  }
  for (auto& [done, receipt] : answered_) Run(done, std::move(receipt));
  answered_.clear();
}

void LedgerContinuations::Close() {
  std::unordered_map<uint64_t, Continuation> left;
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    left.swap(continuations_);
  }
  for (auto& [id, continuation] : left) Run(continuation.done, ChannelClosed());
}

}  // namespace sidecar::ipc
