#include "sidecar/ipc/ledger_client.h"

#include <string>
#include <utility>

#include "sidecar/ipc/ledger_channel.h"

namespace sidecar::ipc {

using broker::ErrorCode, broker::Fail, broker::LedgerReceipt, broker::Result;

namespace {

// Valid until this thread's next one.
Result<std::string_view> FrameOf(uint64_t id, const broker::ledger::Entry& entry) {
  thread_local std::string frame;
  frame.clear();
  Encode(Append{id, entry}, &frame);
  if (frame.size() >= kMaxFrameBytes) return Fail(ErrorCode::kInvalidRequest, "entry over 16 KiB");
  return frame;
}

}  // namespace

LedgerClient::~LedgerClient() { Reset(Fd()); }

void LedgerClient::Reset(Fd fd) {
  std::shared_ptr<LedgerChannel> fresh;
  {
    const std::scoped_lock lock(mutex_);
    if (fd.valid()) {
      fresh = std::make_shared<LedgerChannel>(std::move(fd), ack_deadline_,
                                              receiver_ == Receiver::kAttendant);
    }
    std::swap(channel_, fresh);
  }
  replaced_.notify_all();
  if (fresh) fresh->Close();
}

std::shared_ptr<LedgerChannel> LedgerClient::Current() {
  const std::scoped_lock lock(mutex_);
  return channel_;
}

Result<LedgerReceipt> LedgerClient::Append(const broker::ledger::Entry& entry) {
  const auto channel = Current();
  if (!channel) return Fail(ErrorCode::kUnavailable, "no ledger channel");
  const uint64_t id = next_id_.fetch_add(1, std::memory_order_relaxed);
  const auto frame = FrameOf(id, entry);
  if (!frame) return std::unexpected(frame.error());
  LedgerWaiter me;
  channel->Exchange(id, *frame, &me);
  return std::move(me.receipt);
}

void LedgerClient::AppendThen(const broker::ledger::Entry& entry, Done done) {
  const auto channel = Current();
  if (!channel) return done(Fail(ErrorCode::kUnavailable, "no ledger channel"));
  const uint64_t id = next_id_.fetch_add(1, std::memory_order_relaxed);
  const auto frame = FrameOf(id, entry);
  if (!frame) return done(std::unexpected(frame.error()));
  const bool held = holder_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  channel->SendThen(id, *frame, held, std::move(done));
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

std::shared_ptr<LedgerChannel> LedgerClient::WaitForOpen(const std::stop_token& stop) {
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
  LedgerWaiter me;
  channel->Exchange(LedgerWaiters::kQuestionId, message, &me);
  return std::move(me.state);
}

Result<std::string> LedgerClient::Archive(const std::string& order) {
  const std::scoped_lock one_at_a_time(ask_mutex_);
  const auto channel = Current();
  if (!channel) return Fail(ErrorCode::kUnavailable, "no ledger channel");
  std::string message;
  Encode(TextMessage{MessageType::kLedgerArchive, order}, &message);
  LedgerWaiter me;
  me.orders = true;
  channel->Exchange(LedgerWaiters::kQuestionId, message, &me);
  return std::move(me.text);
}

Result<Fd> LedgerClient::OpenReader() {
  const auto channel = Current();
  if (!channel) return Fail(ErrorCode::kUnavailable, "no ledger channel");
  auto pair = MakePair();
  if (!pair) return std::unexpected(pair.error());
  std::string message;
  Encode(TextMessage{MessageType::kReaderChannel, {}}, &message);
  const auto sent = channel->SendAlone(message, pair->second.get());
  if (!sent) return std::unexpected(sent.error());
  BoundWaits(pair->first.get(), ack_deadline_);
  return std::move(pair->first);
}

}  // namespace sidecar::ipc
