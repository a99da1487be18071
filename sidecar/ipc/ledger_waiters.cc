#include "sidecar/ipc/ledger_waiters.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

namespace sidecar::ipc {
namespace {

void FutexWakeOne(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace

void LedgerWaiter::Sleep(Deadline deadline) {
  const auto left = deadline - std::chrono::steady_clock::now();
  if (left <= std::chrono::nanoseconds(0)) return;
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
  const timespec timeout{ns / 1'000'000'000, ns % 1'000'000'000};
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, kWaiting, &timeout, nullptr, 0);
}

bool LedgerWaiters::Add(uint64_t id, LedgerWaiter* me) {
  const std::scoped_lock lock(mutex_);
  if (!closed_) waiters_.emplace(id, me);
  return !closed_;
}

// Unlocked while another leads: whoever waits is in waiters_, where that one, when it is done,
// finds somebody to lead, under the lock.
bool LedgerWaiters::TakeLead(LedgerWaiter* me) {
  if (attended_) return false;
  const LedgerWaiter* leader = leader_.load(std::memory_order_acquire);
  if (leader != nullptr) return leader == me;
  const std::scoped_lock lock(mutex_);
  if (leader_.load(std::memory_order_relaxed) == nullptr) {
    leader_.store(me, std::memory_order_release);
  }
  return leader_.load(std::memory_order_relaxed) == me;
}

// Unlocked for all that do not lead: nobody is made to lead once it is done, so that what it reads
// here stays.
void LedgerWaiters::PassLead(LedgerWaiter* me) {
  if (leader_.load(std::memory_order_acquire) != me) return;
  std::atomic<uint32_t>* word = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    LedgerWaiter* const next = waiters_.empty() ? nullptr : waiters_.begin()->second;
    leader_.store(next, std::memory_order_release);
    if (next == nullptr) return;
    word = &next->word;
    word->store(LedgerWaiter::kLeads, std::memory_order_release);
  }
  FutexWakeOne(word);
}

void LedgerWaiters::GiveUp(uint64_t id, LedgerWaiter* me) {
  const std::scoped_lock lock(mutex_);
  if (waiters_.erase(id) == 0) return;  // answered meanwhile
  me->receipt = NotInTime();
  me->state = NotInTime();
  me->text = NotInTime();
  me->word.store(LedgerWaiter::kDone, std::memory_order_release);
}

void LedgerWaiters::Deliver(const std::vector<Ack>& acks) {
  {
    const std::scoped_lock lock(mutex_);
    for (const Ack& ack : acks) {
      const auto it = waiters_.find(ack.id);
      if (it == waiters_.end()) continue;
      it->second->receipt = ReceiptOf(ack);
      Finish(it->second, &finished_);
      waiters_.erase(it);
    }
  }
  Wake(&finished_);
}

void LedgerWaiters::Deliver(LedgerState state) {
  {
    const std::scoped_lock lock(mutex_);
    const auto it = waiters_.find(kQuestionId);
    if (it == waiters_.end() || it->second->orders) return;
    it->second->state = std::move(state);
    Finish(it->second, &finished_);
    waiters_.erase(it);
  }
  Wake(&finished_);
}

// What answers an order that was given up may come while a question waits: it is dropped.
void LedgerWaiters::Deliver(std::string text) {
  {
    const std::scoped_lock lock(mutex_);
    const auto it = waiters_.find(kQuestionId);
    if (it == waiters_.end() || !it->second->orders) return;
    it->second->text = std::move(text);
    Finish(it->second, &finished_);
    waiters_.erase(it);
  }
  Wake(&finished_);
}

void LedgerWaiters::Close() {
  Words finished;
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    for (const auto& [id, waiter] : waiters_) Finish(waiter, &finished);
    waiters_.clear();
  }
  Wake(&finished);
}

// REQUIRES: mutex_, and that the caller wakes `words` once it holds it no more: those woken would
// only queue up for it. After the store the waiter may return and its stack may be used anew: the
// wake is then a spurious one for whoever waits at that address, which every futex user must
// expect.
void LedgerWaiters::Finish(LedgerWaiter* waiter, Words* words) {
  std::atomic<uint32_t>* word = &waiter->word;
  const bool receives = waiter == leader_.load(std::memory_order_relaxed);
  word->store(LedgerWaiter::kDone, std::memory_order_release);
  if (!receives) words->push_back(word);
}

void LedgerWaiters::Wake(Words* words) {
  for (std::atomic<uint32_t>* word : *words) FutexWakeOne(word);
  words->clear();
}

}  // namespace sidecar::ipc
