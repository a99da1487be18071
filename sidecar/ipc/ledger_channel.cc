#include "sidecar/ipc/ledger_channel.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <utility>

namespace sidecar::ipc {

using broker::ErrorCode;

void BoundWaits(int fd, std::chrono::milliseconds patience) {
  const timeval limit{patience.count() / 1000, patience.count() % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

LedgerChannel::LedgerChannel(Fd fd, std::chrono::milliseconds patience, bool attended)
    : fd_(std::move(fd)), patience_(patience), waiters_(attended), continuations_(patience) {
  BoundWaits(fd_.get(), patience);
}

void LedgerChannel::Exchange(uint64_t id, std::string_view message, LedgerWaiter* me) {
  const Deadline deadline = std::chrono::steady_clock::now() + patience_;
  if (!waiters_.Add(id, me)) return;
  // One frame: the kernel keeps it whole, so that threads may send at the same time.
  if (const auto sent = Send(fd_.get(), message); !sent) {
    // SO_SNDTIMEO ran out: the ledger is slow, not gone, and others still wait for their answers.
    const bool slow = sent.error().detail.ends_with("EAGAIN");
    slow ? waiters_.GiveUp(id, me) : Close();
  }
  while (!me->done()) {
    if (waiters_.TakeLead(me)) {
      ReceiveOnce();
    } else {
      me->Sleep(deadline);
    }
    if (std::chrono::steady_clock::now() >= deadline) waiters_.GiveUp(id, me);
  }
  waiters_.PassLead(me);
}

void LedgerChannel::SendThen(uint64_t id, std::string_view message, bool held,
                             broker::LedgerSink::Done done) {
  if (!continuations_.Add(id, done)) return done(ChannelClosed());
  unsent_.Add(message);
  if (!held) Flush();
}

void LedgerChannel::Flush() {
  if (!unsent_.Flush(fd_.get())) Close();
}

broker::Status LedgerChannel::SendAlone(std::string_view message, int fd) {
  return Send(fd_.get(), message, {fd});
}

void LedgerChannel::Close() {
  closed_ = true;
  shutdown(fd_.get(), SHUT_RDWR);  // wakes the thread that receives
  waiters_.Close();
  continuations_.Close();
}

void LedgerChannel::Attend(const std::function<void()>& rest) {
  while (!closed_) {
    ReceiveOnce();
    continuations_.GiveUpLate();
    Flush();
    rest();
  }
}

// REQUIRES: the lead, or the thread in Attend(), so that received_ has one user.
void LedgerChannel::ReceiveOnce() {
  const broker::Status got = Receive(fd_.get(), &received_);
  if (!got && got.error().code == ErrorCode::kUnavailable && got.error().detail == "empty") {
    return;  // SO_RCVTIMEO ran out; the caller looks at its deadline
  }
  if (!got || !Deliver(received_.bytes)) Close();
}

bool LedgerChannel::Deliver(std::string_view bytes) {
  if (TypeOf(bytes) == MessageType::kLedgerState) {
    auto state = DecodeLedgerState(bytes);
    if (state) waiters_.Deliver(std::move(*state));
    return state.has_value();
  }
  if (TypeOf(bytes) == MessageType::kLedgerArchived) {
    auto answer = DecodeText(bytes);
    if (answer) waiters_.Deliver(std::move(answer->text));
    return answer.has_value();
  }
  const auto acks = DecodeAcks(bytes);
  if (!acks) return false;
  waiters_.Deliver(*acks);
  continuations_.Deliver(*acks);
  return true;
}

}  // namespace sidecar::ipc
