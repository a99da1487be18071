#include "sidecar/supervisor/journal.h"

#include <sys/epoll.h>

#include <ranges>
#include <utility>

#include "sidecar/ipc/messages.h"

namespace sidecar::supervisor {

using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::Outcome;

void Journal::Attach(ipc::Fd channel) {
  Detach();
  channel_ = std::move(channel);
  auto watch = loop_.Add(channel_.get(), EPOLLIN, [this](uint32_t) { OnReadable(); });
  if (!watch) return Detach();
  watch_ = std::move(*watch);
  Pump();
}

void Journal::Detach() {
  watch_.Reset();
  channel_.Reset();
  for (auto& entry : std::views::reverse(in_flight_)) {
    waiting_.push_front(std::move(entry.second));
  }
  in_flight_.clear();
}

void Journal::Record(Entry entry) {
  if (waiting_.size() >= kMaxWaiting) {
    ++uncounted_;
    ++lost_;
    return;
  }
  waiting_.push_back(std::move(entry));
  Pump();
}

void Journal::RecordFirst(Entry entry) {
  waiting_.push_front(std::move(entry));
  Pump();
}

void Journal::WhenDurable(std::function<void()> then) {
  then_ = std::move(then);
  Pump();
}

void Journal::Pump() {
  if (uncounted_ > 0 && waiting_.size() < kMaxWaiting / 2) {
    Entry entry{.type = EntryType::kConnectionRefused, .outcome = Outcome::kFailure};
    entry.reason = "overloaded";
    entry.change["count"] = static_cast<int64_t>(std::exchange(uncounted_, 0));
    waiting_.push_back(std::move(entry));
  }
  while (channel_.valid() && !waiting_.empty() && in_flight_.size() < kMaxInFlight) {
    std::string bytes;
    ipc::Append append{next_id_, std::move(waiting_.front())};
    Encode(append, &bytes);
    const bool sent = ipc::Send(channel_.get(), bytes, {}, /*nonblocking=*/true).has_value();
    if (!sent) {
      waiting_.front() = std::move(append.entry);
      break;  // its acknowledgements, or its successor, will start this again
    }
    waiting_.pop_front();
    in_flight_.emplace(next_id_++, std::move(append.entry));
  }
  if (then_ && waiting_.empty() && in_flight_.empty()) std::exchange(then_, nullptr)();
}

void Journal::Settle(uint64_t id, uint8_t error, std::string_view detail) {
  if (in_flight_.erase(id) == 0 || error == 0) return;
  ++lost_;
  refused_log_.Warn(std::string(detail), {{"why", detail}});
}

void Journal::OnReadable() {
  if (const broker::Status got = ipc::ReceiveShort(channel_.get(), &message_); !got) {
    if (got.error().detail != "empty") Detach();
    return;
  }
  const auto acks = ipc::DecodeAcks(message_.bytes);
  if (!acks) return Detach();
  for (const ipc::Ack& ack : *acks) Settle(ack.id, ack.error, ack.detail);
  Pump();
}

}  // namespace sidecar::supervisor
