#include "sidecar/ipc/ledger_client.h"

#include <linux/futex.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sidecar/ipc/append_queue.h"

namespace sidecar::ipc {

using broker::ErrorCode, broker::Fail, broker::LedgerReceipt, broker::Result;
using Deadline = std::chrono::steady_clock::time_point;

namespace {

constexpr uint64_t kQuestionId = 0;  // the place of the one question under way; appends begin at 1

// Blocks while `word` is `expected`, until the deadline at the latest; may return early.
void FutexWait(std::atomic<uint32_t>& word, uint32_t expected, Deadline deadline) {
  const auto left = deadline - std::chrono::steady_clock::now();
  if (left <= std::chrono::nanoseconds(0)) return;
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
  const timespec timeout{ns / 1'000'000'000, ns % 1'000'000'000};
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, &timeout, nullptr, 0);
}

void FutexWakeOne(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

Result<LedgerReceipt> ReceiptOf(const Ack& ack) {
  if (ack.error != 0) {
    const bool known = ack.error <= static_cast<uint8_t>(ErrorCode::kConflict);
    return Fail(known ? static_cast<ErrorCode>(ack.error) : ErrorCode::kUnavailable,
                std::string(ack.detail));
  }
  LedgerReceipt receipt{ack.seq, {}};
  std::memcpy(receipt.leaf.data(), ack.leaf.data(), receipt.leaf.size());
  return receipt;
}

}  // namespace

// One thread that waits; lives on its stack. `word` is the only field that it reads unlocked.
struct LedgerClient::Waiter {
  static constexpr uint32_t kWaiting = 0, kLeads = 1, kDone = 2;
  std::atomic<uint32_t> word{kWaiting};
  Result<LedgerReceipt> receipt = Fail(ErrorCode::kUnavailable, "ledger channel closed");
  Result<LedgerState> state = Fail(ErrorCode::kUnavailable, "ledger channel closed");
};

class LedgerClient::Channel {
 public:
  Channel(Fd fd, std::chrono::milliseconds patience, bool attended)
      : fd_(std::move(fd)), patience_(patience), attended_(attended) {
    // Bounds every send and receive, so that a ledger that hangs does not hang its callers.
    const timeval limit{patience.count() / 1000, patience.count() % 1000 * 1000};
    setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }

  // Sends `message` and waits for the answer with `id`, which lands in `*me`. When it returns, no
  // other thread refers to `*me`.
  void Exchange(uint64_t id, std::string_view message, Waiter* me, Deadline deadline) {
    {
      const std::scoped_lock lock(mutex_);
      if (closed_) return;
      waiters_.emplace(id, me);
    }
    // One frame: the kernel keeps it whole, so that threads may send at the same time.
    if (const auto sent = Send(fd_.get(), message); !sent) {
      // SO_SNDTIMEO ran out: the ledger is slow, not gone, and others still wait for their answers.
      const bool slow = sent.error().detail.ends_with("EAGAIN");
      slow ? GiveUp(id, me) : Close();
    }
    while (me->word.load(std::memory_order_acquire) != Waiter::kDone) {
      if (TakeLead(me)) {
        ReceiveOnce();
      } else {
        FutexWait(me->word, Waiter::kWaiting, deadline);
      }
      if (std::chrono::steady_clock::now() >= deadline) GiveUp(id, me);
    }
    PassLead(me);
  }

  // Sends `message`, with the next Flush() if it is `held`. What answers it, or why nothing does,
  // is given to `done` by the thread that receives, or by this one.
  void SendThen(uint64_t id, std::string_view message, bool held, broker::LedgerSink::Done done) {
    const auto deadline = std::chrono::steady_clock::now() + patience_;
    std::unique_lock lock(mutex_);
    if (closed_) {
      lock.unlock();
      return done(Fail(ErrorCode::kUnavailable, "ledger channel closed"));
    }
    continuations_.emplace(id, Continuation{std::move(done), deadline});
    lock.unlock();
    unsent_.Add(message);
    if (!held) Flush();
  }

  void Flush() {
    if (!unsent_.Flush(fd_.get())) Close();
  }

  // Everybody who waits gets kUnavailable, now and from now on.
  void Close() {
    Words finished;
    std::unordered_map<uint64_t, Continuation> continuations;
    {
      const std::scoped_lock lock(mutex_);
      closed_ = true;
      shutdown(fd_.get(), SHUT_RDWR);  // wakes the thread that receives
      for (const auto& [id, waiter] : waiters_) Finish(waiter, &finished);
      waiters_.clear();
      continuations.swap(continuations_);
    }
    for (std::atomic<uint32_t>* word : finished) FutexWakeOne(word);
    for (auto& [id, continuation] : continuations) {
      Run(continuation.done, Fail(ErrorCode::kUnavailable, "ledger channel closed"));
    }
  }

  [[nodiscard]] bool closed() const { return closed_; }

  // What the thread in LedgerClient::Attend() does, until the channel is closed.
  void Attend(const std::function<void()>& rest) {
    while (!closed_) {
      ReceiveOnce();
      GiveUpLate();
      Flush();
      rest();
    }
  }

 private:
  struct Continuation {
    broker::LedgerSink::Done done;
    Deadline deadline;
  };

  // Nothing that it throws may keep an answer from the others.
  static void Run(broker::LedgerSink::Done& done, Result<LedgerReceipt> receipt) {
    try {
      done(std::move(receipt));
    } catch (...) {
      done = nullptr;  // whoever waits for it learns so from its end
    }
  }

  void GiveUp(uint64_t id) {
    broker::LedgerSink::Done done;
    {
      const std::scoped_lock lock(mutex_);
      const auto it = continuations_.find(id);
      if (it == continuations_.end()) return;
      done = std::move(it->second.done);
      continuations_.erase(it);
    }
    Run(done, Fail(ErrorCode::kUnavailable, "the ledger did not answer in time"));
  }

  void GiveUpLate() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_look_) return;
    next_look_ = now + patience_;
    std::vector<uint64_t> late;
    {
      const std::scoped_lock lock(mutex_);
      for (const auto& [id, continuation] : continuations_) {
        if (continuation.deadline <= now) late.push_back(id);
      }
    }
    for (const uint64_t id : late) GiveUp(id);
  }

  using Words = std::vector<std::atomic<uint32_t>*>;

  // Unlocked while another leads: whoever waits is in waiters_, where that one, when it is done,
  // finds somebody to lead, under the lock.
  bool TakeLead(Waiter* me) {
    if (attended_) return false;
    const Waiter* leader = leader_.load(std::memory_order_acquire);
    if (leader != nullptr) return leader == me;
    const std::scoped_lock lock(mutex_);
    if (leader_.load(std::memory_order_relaxed) == nullptr) {
      leader_.store(me, std::memory_order_release);
    }
    return leader_.load(std::memory_order_relaxed) == me;
  }

  // Whoever leads and is done hands on: somebody must receive for those who still wait. Unlocked
  // for all others: nobody is made to lead once it is done, so that what it reads here stays.
  void PassLead(Waiter* me) {
    if (leader_.load(std::memory_order_acquire) != me) return;
    std::atomic<uint32_t>* word = nullptr;
    {
      const std::scoped_lock lock(mutex_);
      Waiter* const next = waiters_.empty() ? nullptr : waiters_.begin()->second;
      leader_.store(next, std::memory_order_release);
      if (next == nullptr) return;
      word = &next->word;
      word->store(Waiter::kLeads, std::memory_order_release);
    }
    FutexWakeOne(word);
  }

  void GiveUp(uint64_t id, Waiter* me) {
    const std::scoped_lock lock(mutex_);
    if (waiters_.erase(id) == 0) return;  // answered meanwhile
    me->receipt = Fail(ErrorCode::kUnavailable, "the ledger did not answer in time");
    me->state = Fail(ErrorCode::kUnavailable, "the ledger did not answer in time");
    me->word.store(Waiter::kDone, std::memory_order_release);
  }

  // REQUIRES: the lead, so that received_ has one user.
  void ReceiveOnce() {
    const broker::Status got = Receive(fd_.get(), &received_);
    if (!got && got.error().code == ErrorCode::kUnavailable && got.error().detail == "empty") {
      return;  // SO_RCVTIMEO ran out; the caller looks at its deadline
    }
    const bool delivered = got && Deliver(received_.bytes);
    for (std::atomic<uint32_t>* word : finished_) FutexWakeOne(word);
    finished_.clear();
    for (auto& [done, receipt] : answered_) Run(done, std::move(receipt));
    answered_.clear();
    if (!delivered) Close();
  }

  bool Deliver(std::string_view bytes) {
    if (TypeOf(bytes) == MessageType::kLedgerState) {
      auto state = DecodeLedgerState(bytes);
      if (!state) return false;
      const std::scoped_lock lock(mutex_);
      const auto it = waiters_.find(kQuestionId);
      if (it == waiters_.end()) return true;  // asked by somebody who gave up
      it->second->state = std::move(*state);
      Finish(it->second, &finished_);
      waiters_.erase(it);
      return true;
    }
    const auto acks = DecodeAcks(bytes);
    if (!acks) return false;
    const std::scoped_lock lock(mutex_);
    for (const Ack& ack : *acks) {
      if (const auto next = continuations_.find(ack.id); next != continuations_.end()) {
        answered_.emplace_back(std::move(next->second.done), ReceiptOf(ack));
        continuations_.erase(next);
        continue;
      }
      const auto it = waiters_.find(ack.id);
      if (it == waiters_.end()) continue;  // of somebody who gave up
      it->second->receipt = ReceiptOf(ack);
      Finish(it->second, &finished_);
      waiters_.erase(it);
    }
    return true;
  }

  // REQUIRES: mutex_, and that the caller wakes `words` once it holds it no more: those woken would
  // only queue up for it. After the store the waiter may return and its stack may be used anew: the
  // wake is then a spurious one for whoever waits at that address, which every futex user must
  // expect.
  void Finish(Waiter* waiter, Words* words) {
    std::atomic<uint32_t>* word = &waiter->word;
    const bool receives = waiter == leader_.load(std::memory_order_relaxed);
    word->store(Waiter::kDone, std::memory_order_release);
    if (!receives) words->push_back(word);
  }

  const Fd fd_;
  const std::chrono::milliseconds patience_;
  const bool attended_;
  // Of the thread that receives.
  Message received_;
  Words finished_;  // to be woken
  std::vector<std::pair<broker::LedgerSink::Done, Result<LedgerReceipt>>> answered_;
  Deadline next_look_{};

  AppendQueue unsent_;  // by threads that do not wait

  std::mutex mutex_;
  std::atomic<bool> closed_ = false;  // written under the mutex
  std::unordered_map<uint64_t, Continuation> continuations_;
  std::atomic<Waiter*> leader_ = nullptr;  // written under the mutex
  std::unordered_map<uint64_t, Waiter*> waiters_;
};

LedgerClient::~LedgerClient() { Reset(Fd()); }

void LedgerClient::Reset(Fd fd) {
  std::shared_ptr<Channel> fresh;
  {
    const std::scoped_lock lock(mutex_);
    if (fd.valid()) {
      fresh = std::make_shared<Channel>(std::move(fd), ack_deadline_,
                                        receiver_ == Receiver::kAttendant);
    }
    std::swap(channel_, fresh);
  }
  replaced_.notify_all();
  if (fresh) fresh->Close();
}

std::shared_ptr<LedgerClient::Channel> LedgerClient::Current() {
  const std::scoped_lock lock(mutex_);
  return channel_;
}

Result<LedgerReceipt> LedgerClient::Append(const broker::ledger::Entry& entry) {
  const auto channel = Current();
  if (!channel) return Fail(ErrorCode::kUnavailable, "no ledger channel");
  thread_local std::string message;
  message.clear();
  const uint64_t id = next_id_.fetch_add(1, std::memory_order_relaxed);
  Encode(sidecar::ipc::Append{id, entry}, &message);
  if (message.size() >= kMaxFrameBytes)
    return Fail(ErrorCode::kInvalidRequest, "entry over 16 KiB");
  Waiter me;
  channel->Exchange(id, message, &me, std::chrono::steady_clock::now() + ack_deadline_);
  return std::move(me.receipt);
}

void LedgerClient::AppendThen(const broker::ledger::Entry& entry, Done done) {
  const auto channel = Current();
  if (!channel) return done(Fail(ErrorCode::kUnavailable, "no ledger channel"));
  thread_local std::string message;
  message.clear();
  const uint64_t id = next_id_.fetch_add(1, std::memory_order_relaxed);
  Encode(sidecar::ipc::Append{id, entry}, &message);
  if (message.size() >= kMaxFrameBytes) {
    return done(Fail(ErrorCode::kInvalidRequest, "entry over 16 KiB"));
  }
  const bool held = holder_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  channel->SendThen(id, message, held, std::move(done));
}

void LedgerClient::Hold() { holder_ = std::this_thread::get_id(); }

void LedgerClient::Release() {
  holder_ = std::thread::id();
  if (const auto channel = Current()) channel->Flush();
}

void LedgerClient::Attend(const std::stop_token& stop, const std::function<void()>& rest) {
  const std::stop_callback close(stop, [this] { Reset(Fd()); });
  while (const auto channel = WaitForOpen(stop)) channel->Attend(rest);
}

std::shared_ptr<LedgerClient::Channel> LedgerClient::WaitForOpen(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const bool open =
      replaced_.wait(lock, stop, [this] { return channel_ != nullptr && !channel_->closed(); });
  return open ? channel_ : nullptr;
}

Result<LedgerState> LedgerClient::Ask(MessageType question) {
  const std::scoped_lock one_at_a_time(ask_mutex_);
  const auto channel = Current();
  if (!channel) return Fail(ErrorCode::kUnavailable, "no ledger channel");
  std::string message;
  Encode(TextMessage{question, {}}, &message);
  Waiter me;
  channel->Exchange(kQuestionId, message, &me, std::chrono::steady_clock::now() + ack_deadline_);
  return std::move(me.state);
}

}  // namespace sidecar::ipc
