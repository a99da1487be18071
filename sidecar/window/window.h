// sidecar/window/window.h: the window's process: takes connections from the supervisor, serves
// them.
#pragma once
#include <string>
#include <string_view>

#include "broker/base/log.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/window/audit_reader.h"
#include "sidecar/window/connection.h"
#include "sidecar/window/http_server.h"
#include "sidecar/window/timing.h"
#include "sidecar/window/workers.h"

namespace sidecar::window {

/// One window serves one agent, or one connection of the admin socket.
struct Identity {
  std::string agent;  // empty: the admin socket
};

class Window {
 public:
  // Of one agent; the supervisor has limits of its own. Bounds the threads that an agent can cost.
  static constexpr size_t kMaxConnections = 256;
  // Enough for a request at its limits (measured: a tenth), small enough for all of them.
#ifdef PURSER_SANITIZED
  static constexpr size_t kStackBytes = size_t{4} << 20;  // a sanitizer keeps its own there
#else
  static constexpr size_t kStackBytes = size_t{256} << 10;
#endif

  /// Takes the control channel. REQUIRES: sodium_init() has succeeded.
  Window(Identity identity, ipc::Fd control, const Timing& timing, const broker::Log& log);

  /// Says kStarted with `findings`, serves until told to stop (or, on the admin socket, until the
  /// connection ends) and drained. Returns the exit status: 0, or 1 after a broken channel.
  int Run(std::string_view findings);

 private:
  enum class Next { kGoOn, kDrain, kBroken };

  bool Say(ipc::MessageType type, std::string_view text) const;
  Next TakeMessage();
  Next TakeConnection(ipc::Message& message);
  void Drain();

  Identity identity_;
  ipc::Fd control_;
  const broker::Log& log_;
  ipc::Fd stop_event_;
  HttpServer server_;
  AuditReader audit_;
  Shared shared_;
  Workers workers_;  // last: its destructor waits for the connections that use the rest
};

}  // namespace sidecar::window
