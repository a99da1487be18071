#include "sidecar/window/window.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <exception>
#include <utility>

#include "sidecar/ipc/messages.h"

namespace sidecar::window {

using ipc::MessageType;

Window::Window(Identity identity, ipc::Fd control, const Timing& timing, const broker::Log& log)
    : identity_(std::move(identity)),
      control_(std::move(control)),
      log_(log),
      stop_event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      server_(
          static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(timing.idle).count())),
      audit_(timing.audit),
      shared_{.socket = identity_.agent.empty() ? Socket::kAdmin : Socket::kAgent,
              .timing = timing,
              .server = server_,
              .audit = audit_,
              .stop_event = stop_event_.get()},
      workers_(kMaxConnections) {}

bool Window::Say(MessageType type, std::string_view text) const {
  std::string message;
  ipc::Encode(ipc::TextMessage{type, std::string(text)}, &message);
  return ipc::Send(control_.get(), message).has_value();
}

int Window::Run(std::string_view findings) {
  if (!Say(MessageType::kStarted, findings)) return 1;
  std::array<pollfd, 2> watched{{{control_.get(), POLLIN, 0}, {workers_.idle_event(), POLLIN, 0}}};
  Next next = Next::kGoOn;
  while (next == Next::kGoOn) {
    if (poll(watched.data(), watched.size(), -1) < 0) continue;  // a signal
    if (watched[1].revents != 0 && workers_.TakeIdle() && shared_.socket == Socket::kAdmin) break;
    if (watched[0].revents != 0) next = TakeMessage();
  }
  Drain();
  Say(MessageType::kStopped, {});
  return next == Next::kBroken ? 1 : 0;
}

Window::Next Window::TakeMessage() {
  ipc::Message message;
  if (const auto received = ipc::Receive(control_.get(), &message); !received) {
    log_.Error("control channel lost", {{"why", received.error().detail}});
    return Next::kBroken;
  }
  const auto type = ipc::TypeOf(message.bytes);
  if (type == MessageType::kStop) return Next::kDrain;
  if (type == MessageType::kConnection) return TakeConnection(message);
  if (type == MessageType::kReaderChannel && message.fds.size() == 1) {
    audit_.Attach(std::move(message.fds[0]));
    return Next::kGoOn;
  }
  log_.Error("unexpected message on the control channel");
  return Next::kBroken;
}

Window::Next Window::TakeConnection(ipc::Message& message) {
  const auto connection = ipc::DecodeConnection(message.bytes);
  const bool ours = connection && message.fds.size() == 2 && connection->agent == identity_.agent &&
                    connection->admin == (shared_.socket == Socket::kAdmin);
  if (!ours) {
    log_.Error("a connection that is not for this window");
    return Next::kBroken;
  }
  // Kept beside the job's copy until it is known to run: a peer that cannot be served is told so.
  const auto peer = std::make_shared<ipc::Fd>(std::move(message.fds[0]));
  auto serve = [this, peer, pair = std::move(message.fds[1])]() mutable {
    try {
      Connection(shared_, std::move(*peer), std::move(pair)).Run();
    } catch (const std::exception&) {
      log_.Error("connection ended by an exception");
    }
  };
  if (!workers_.Start(std::move(serve))) TurnAway(server_, peer->get());
  return Next::kGoOn;
}

void Window::Drain() {
  static_cast<void>(eventfd_write(stop_event_.get(), 1));
  pollfd watched{workers_.idle_event(), POLLIN, 0};
  while (!workers_.TakeIdle()) poll(&watched, 1, -1);
}

}  // namespace sidecar::window
