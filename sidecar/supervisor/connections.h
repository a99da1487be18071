// sidecar/supervisor/connections.h: the connections that are open, and how many there may be.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "broker/policy/facts.h"
#include "sidecar/supervisor/attest.h"
#include "sidecar/supervisor/event_loop.h"

namespace sidecar::supervisor {

/// Attested peers, from accepting to hang-up. Holds a copy of each peer's socket and never reads
/// it. Not thread-safe.
class Connections {
 public:
  // A connection is a thread in a window and one in the broker.
  static constexpr size_t kMaxPerAgent = 256;
  static constexpr size_t kMaxTotal = 1024;
  // Of the total, for agents that hold fewer than kFewConnections each: four that fill their own
  // share cannot shut the others out.
  static constexpr size_t kReservedForFew = 256;
  static constexpr size_t kFewConnections = 8;
  // Each admin connection is a process.
  static constexpr size_t kMaxAdmin = 16;

  struct Connection {
    std::string agent;   // empty: admin
    std::string window;  // key of its window
    Peer peer;
    ipc::Fd socket;
    bool served = false;     // handed to its window
    EventLoop::Watch watch;  // last: it goes before the socket closes
  };
  using Ended = std::function<void(const Connection&)>;

  /// `ended` is told when a peer hung up, or its window shut it down.
  Connections(EventLoop& loop, Ended ended) : loop_(loop), ended_(std::move(ended)) {}

  /// Whether one more of this agent ("": admin) is within the caps.
  [[nodiscard]] bool HasRoom(const std::string& agent) const;
  /// Errors: kUnavailable; the connection is closed then.
  broker::Result<uint64_t> Add(Connection connection);
  [[nodiscard]] Connection* Find(uint64_t id);
  /// Forgets the connection and closes our copy of its socket.
  void Remove(uint64_t id);
  /// Shuts the peer down, whatever its window does.
  void Close(uint64_t id);
  /// Of those that `which` holds for, oldest first.
  [[nodiscard]] std::vector<uint64_t> Select(
      const std::function<bool(const Connection&)>& which) const;
  [[nodiscard]] size_t size() const { return open_.size(); }

 private:
  void OnHangUp(uint64_t id);
  EventLoop& loop_;
  Ended ended_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Connection> open_;
  std::map<std::string, size_t> per_agent_;
};

}  // namespace sidecar::supervisor
