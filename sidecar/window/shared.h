// sidecar/window/shared.h: what the connections of one window have in common.
#pragma once
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "sidecar/ipc/frame.h"
#include "sidecar/window/audit_reader.h"
#include "sidecar/window/deadlines.h"
#include "sidecar/window/http_server.h"
#include "sidecar/window/poller.h"
#include "sidecar/window/routes.h"
#include "sidecar/window/timing.h"

namespace sidecar::window {

// Of one agent; the supervisor has limits of its own. Bounds the memory that an agent can cost.
inline constexpr size_t kMaxConnections = 256;

/// Borrowed by each connection; used by one at a time, for there is one thread.
struct Shared {
  Socket socket = Socket::kAgent;
  Timing timing;
  HttpServer& server;
  AuditReader& audit;
  Poller& poller;
  DeadlineTable<kMaxConnections> deadlines;
  // Read once in each round.
  Deadline now;
  std::chrono::system_clock::time_point wall;
  bool draining = false;
  // Slots of connections that hold another complete request: each gets its turn in the next round.
  std::vector<size_t> turns;
  // Buffers for what is used up within one call.
  std::string question;   // to the broker
  ipc::Message answer;    // from the broker; wiped after use
  bool answered = false;  // an answer was handled since the stack was wiped
};

}  // namespace sidecar::window
