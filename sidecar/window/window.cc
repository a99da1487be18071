#include "sidecar/window/window.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "sidecar/hardening/stack_wipe.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::window {

using ipc::MessageType;

Window::Window(Identity identity, ipc::Fd control, const Timing& timing, const broker::Log& log)
    : identity_(std::move(identity)),
      control_(std::move(control)),
      log_(log),
      server_(
          static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(timing.idle).count())),
      audit_(timing.audit, poller_,
             [this](size_t slot, std::optional<std::string_view> page) {
               On(slot, [page](Connection& connection) { connection.OnAudit(page); });
             }),
      shared_{.socket = identity_.agent.empty() ? Socket::kAdmin : Socket::kAgent,
              .timing = timing,
              .server = server_,
              .audit = audit_,
              .poller = poller_} {
  for (uint32_t slot = kMaxConnections; slot > 0; --slot) free_slots_.push_back(slot - 1);
}

bool Window::Say(MessageType type, std::string_view text) const {
  std::string message;
  ipc::Encode(ipc::TextMessage{type, std::string(text)}, &message);
  return ipc::Send(control_.get(), message).has_value();
}

int Window::Run(std::string_view findings) {
  const bool started = Say(MessageType::kStarted, findings) &&
                       poller_.Add(control_.get(), EPOLLIN, {Watched::Kind::kControl});
  if (!started) return 1;
  ReadClocks();
  while (!shared_.draining || free_slots_.size() < kMaxConnections) Round();
  Say(MessageType::kStopped, {});
  return broken_ ? 1 : 0;
}

void Window::Round() {
  const auto events = Wait();
  ReadClocks();
  TakeTurns();
  for (const Poller::Event& event : events) Handle(event);
  shared_.deadlines.Expire(shared_.now, [this](size_t slot) {
    On(slot, [](Connection& connection) { connection.OnDeadline(); });
  });
  audit_.Advance(shared_.now);
  BuryEnded();
}

void Window::ReadClocks() {
  shared_.now = std::chrono::steady_clock::now();
  shared_.wall = std::chrono::system_clock::now();
}

// What finished calls left on the stack is wiped before a wait, not where there is more to do: then
// the next calls overwrite it.
std::span<const Poller::Event> Window::Wait() {
  if (!shared_.turns.empty()) return poller_.Wait(0);
  if (std::exchange(shared_.answered, false)) {
    if (const auto events = poller_.Wait(0); !events.empty()) {
      shared_.answered = true;
      return events;
    }
    hardening::WipeStack();
  }
  const Deadline until = std::min(shared_.deadlines.earliest(), audit_.deadline());
  return poller_.Wait(MillisecondsUntil(until, shared_.now));
}

void Window::Handle(const Poller::Event& event) {
  const uint32_t what = event.what;
  switch (event.watched.kind) {
    case Watched::Kind::kControl: {
      const Next next = shared_.draining ? Next::kGoOn : TakeMessage();
      broken_ |= next == Next::kBroken;
      if (next != Next::kGoOn) Drain();
      return;
    }
    case Watched::Kind::kAudit:
      return audit_.OnChannel(shared_.now);
    case Watched::Kind::kPeer:
      return On(event.watched.slot, [what](Connection& c) { c.OnPeer(what); });
    case Watched::Kind::kPair:
      return On(event.watched.slot, [what](Connection& c) { c.OnBroker(what); });
  }
}

void Window::TakeTurns() {
  turns_.swap(shared_.turns);
  for (const size_t slot : turns_) On(slot, [](Connection& c) { c.OnTurn(); });
  turns_.clear();
}

// Whatever happens to one connection costs no other one.
template <class Step>
void Window::On(size_t slot, const Step& step) {
  Connection* const connection = connections_[slot].get();
  if (connection == nullptr || connection->ended()) return;  // an event of the same round
  try {
    step(*connection);
  } catch (const std::exception&) {
    log_.Error("connection_aborted");
    connection->End();
  }
  if (connection->ended()) ended_.push_back(static_cast<uint32_t>(slot));
}

// Not earlier: events of this round may still name them.
void Window::BuryEnded() {
  for (const uint32_t slot : ended_) {
    connections_[slot].reset();
    free_slots_.push_back(slot);
  }
  const bool last = !ended_.empty() && free_slots_.size() == kMaxConnections;
  ended_.clear();
  if (last && shared_.socket == Socket::kAdmin && !shared_.draining) Drain();
}

Window::Next Window::TakeMessage() {
  ipc::Message message;
  const auto received = ipc::ReceiveShort(control_.get(), &message);
  if (!received && received.error().detail == "empty") return Next::kGoOn;
  if (!received) {
    log_.Error("control_channel_lost", {{"why", received.error().detail}});
    return Next::kBroken;
  }
  const auto type = ipc::TypeOf(message.bytes);
  if (type == MessageType::kStop) return Next::kDrain;
  if (type == MessageType::kConnection) return TakeConnection(message);
  if (type == MessageType::kReaderChannel && message.fds.size() == 1) {
    audit_.Attach(std::move(message.fds[0]));
    return Next::kGoOn;
  }
  log_.Error("unexpected_message", {{"type", type ? static_cast<int>(*type) : 0}});
  return Next::kBroken;
}

Window::Next Window::TakeConnection(ipc::Message& message) {
  const auto connection = ipc::DecodeConnection(message.bytes);
  const bool ours = connection && message.fds.size() == 2 && connection->agent == identity_.agent &&
                    connection->admin == (shared_.socket == Socket::kAdmin);
  if (!ours) {
    log_.Error("misdirected_connection");
    return Next::kBroken;
  }
  if (free_slots_.empty()) {
    TurnAway(server_, message.fds[0].get());
    return Next::kGoOn;
  }
  const uint32_t slot = free_slots_.back();
  connections_[slot] = std::make_unique<Connection>(shared_, slot, std::move(message.fds[0]),
                                                    std::move(message.fds[1]));
  free_slots_.pop_back();
  On(slot, [](Connection& c) { c.Start(); });
  return Next::kGoOn;
}

void Window::Drain() {
  shared_.draining = true;
  poller_.Remove(control_.get());
  for (size_t slot = 0; slot < kMaxConnections; ++slot) {
    On(slot, [](Connection& c) { c.OnDrain(); });
  }
}

}  // namespace sidecar::window
