// sidecar/window/window.h: the window's process: takes connections from the supervisor, serves
// them.
#pragma once
#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/log.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/window/connection.h"
#include "sidecar/window/shared.h"

namespace sidecar::window {

/// One window serves one agent, or one connection of the admin socket.
struct Identity {
  std::string agent;  // empty: the admin socket
};

/// One thread that waits for all at once, and does in each round, for each connection that has
/// something to say, one thing that never waits: a read, a request, an answer. So no connection
/// holds up another. Not thread-safe.
class Window {
 public:
  /// Takes the control channel. REQUIRES: sodium_init() has succeeded.
  Window(Identity identity, ipc::Fd control, const Timing& timing, const broker::Log& log);

  /// Says kStarted with `findings`, serves until told to stop (or, on the admin socket, until the
  /// connection ends) and drained. Returns the exit status: 0, or 1 after a broken channel.
  int Run(std::string_view findings);

 private:
  enum class Next { kGoOn, kDrain, kBroken };

  bool Say(ipc::MessageType type, std::string_view text) const;
  void Round();
  void ReadClocks();
  std::span<const Poller::Event> Wait();
  void Handle(const Poller::Event& event);
  void TakeTurns();
  void BuryEnded();
  template <class Step>
  void On(size_t slot, const Step& step);

  Next TakeMessage();
  Next TakeConnection(ipc::Message& message);
  void Drain();

  Identity identity_;
  ipc::Fd control_;
  const broker::Log& log_;
  HttpServer server_;
  Poller poller_;
  AuditReader audit_;
  Shared shared_;
  std::array<std::unique_ptr<Connection>, kMaxConnections> connections_;  // by slot
  std::vector<uint32_t> free_slots_;
  std::vector<size_t> turns_;  // of this round
  std::vector<uint32_t> ended_;
  bool broken_ = false;
};

}  // namespace sidecar::window
