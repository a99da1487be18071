#include "sidecar/dialer/dialer.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

#include "sidecar/dialer/stream_io.h"

namespace sidecar::dialer {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::Status;
using ipc::MessageType;

// A ledger that could not take the counts is asked again this often.
constexpr std::chrono::seconds kRetryFlush{5};

ConnectionCount::Time Now() { return std::chrono::steady_clock::now(); }

}  // namespace

Dialer::Dialer(int control, const broker::Log& log)
    : log_(log),
      control_(control),
      count_(ledger_),
      streams_(StreamContext{.hosts = hosts_, .count = count_, .log = log_, .limits = {}}) {}

Status Dialer::Run(std::string_view findings) {
  Reply(MessageType::kStarted, findings);
  while (!abandoned_ && !(stopping_ && !(broker_.valid() && has_hosts_))) {
    // What the broker asks of a new dialer waits for its hosts: "not listed" would be a lie that
    // the broker takes for a fault of the configuration.
    const int broker = has_hosts_ ? broker_.get() : -1;
    std::array<pollfd, 2> channels{{{control_, POLLIN, 0}, {broker, POLLIN, 0}}};
    const Time next = NextFlush();
    const int wait = next == Time::max() ? -1 : RemainingMs(next);
    const int ready = poll(channels.data(), channels.size(), wait);
    if (ready < 0 && errno != EINTR) return Fail(ErrorCode::kUnavailable, "poll");
    FlushWhatIsDue();
    if (ready <= 0) continue;
    if (channels[1].revents != 0) TakeDial();
    if (channels[0].revents == 0) continue;
    if (Status taken = TakeControl(); !taken) return taken;
  }
  if (Status written = count_.Flush(Now(), /*all=*/true); !written) {
    log_.Error("connection_counts_not_written", {{"why", written.error().detail}});
  }
  return {};
}

Dialer::Time Dialer::NextFlush() {
  const Time next = count_.NextFlush();
  return next == Time::max() ? next : std::max(next, retry_);
}

void Dialer::FlushWhatIsDue() {
  const Time now = Now();
  if (NextFlush() > now) return;
  if (Status written = count_.Flush(now); !written) {
    log_.Error("connection_counts_not_written", {{"why", written.error().detail}});
    retry_ = now + kRetryFlush;
  }
}

Status Dialer::TakeControl() {
  if (Status received = ipc::Receive(control_, &message_); !received) {
    if (received.error().code != ErrorCode::kUnavailable) return received;
    abandoned_ = true;
    return {};
  }
  const std::optional<MessageType> type = ipc::TypeOf(message_.bytes);
  if (!type) return Fail(ErrorCode::kCorrupt, "unknown message on the control channel");
  return Obey(*type);
}

Status Dialer::Obey(MessageType type) {
  using enum MessageType;
  if (type == kHosts) {
    Prepare();
  } else if (type == kCommitConfig) {
    if (prepared_) {
      hosts_.Set(*std::exchange(prepared_, std::nullopt));
      has_hosts_ = true;
    }
  } else if (type == kAbortConfig) {
    prepared_.reset();
  } else if (type == kBrokerChannel) {
    return TakeChannel(&broker_);
  } else if (type == kLedgerChannel) {
    ipc::Fd channel;
    if (Status taken = TakeChannel(&channel); !taken) return taken;
    ledger_.Reset(std::move(channel));
    retry_ = {};
  } else if (type == kPing) {
    Reply(kWatchdog);
  } else if (type == kStop) {
    stopping_ = true;
  } else {
    return Fail(ErrorCode::kCorrupt, "unexpected message on the control channel");
  }
  return {};
}

Status Dialer::TakeChannel(ipc::Fd* channel) {
  if (message_.fds.size() != 1) return Fail(ErrorCode::kCorrupt, "a channel is one descriptor");
  *channel = std::move(message_.fds.front());
  return {};
}

void Dialer::Prepare() {
  prepared_.reset();
  const Result<ipc::TextMessage> text = ipc::DecodeText(message_.bytes);
  Result<HostList> hosts = text ? HostList::Parse(text->text) : std::unexpected(text.error());
  if (!hosts) return Reply(MessageType::kConfigured, hosts.error().detail);
  prepared_ = std::move(*hosts);
  Reply(MessageType::kConfigured);
}

void Dialer::Reply(MessageType type, std::string_view text) {
  reply_.clear();
  ipc::Encode(ipc::TextMessage{type, std::string(text)}, &reply_);
  // A supervisor that is gone shows at the next poll.
  [[maybe_unused]] const Status sent = ipc::Send(control_, reply_);
}

void Dialer::TakeDial() {
  Status received = ipc::Receive(broker_.get(), &message_);
  if (received && (ipc::TypeOf(message_.bytes) != MessageType::kDial || message_.fds.size() != 1)) {
    received = Fail(ErrorCode::kCorrupt, "no kDial");
  }
  if (!received) {
    // The supervisor brings a new channel with a new broker.
    if (received.error().code == ErrorCode::kCorrupt) {
      log_.Error("broker_channel_closed", {{"why", received.error().detail}});
    }
    broker_.Reset();
    return;
  }
  if (!streams_.Start(std::move(message_.fds.front()))) {
    log_.Warn("stream_refused", {{"running", StreamThreads::kMaxStreams}});
  }
}

}  // namespace sidecar::dialer
