// sidecar/supervisor/front_door.h: listen, accept, attest, match, hand over.
#pragma once
#include <map>
#include <string>

#include "broker/base/log.h"
#include "broker/policy/config.h"
#include "broker/policy/selectors.h"
#include "broker/reason.h"
#include "sidecar/supervisor/admin_share.h"
#include "sidecar/supervisor/attest.h"
#include "sidecar/supervisor/connections.h"
#include "sidecar/supervisor/core_roles.h"
#include "sidecar/supervisor/flood_log.h"
#include "sidecar/supervisor/journal.h"
#include "sidecar/supervisor/listeners.h"
#include "sidecar/supervisor/refusals.h"
#include "sidecar/supervisor/windows.h"

namespace sidecar::supervisor {

/// Not thread-safe.
class FrontDoor {
 public:
  // Of one agent in one round: the others' turn comes after a fraction of a millisecond.
  static constexpr int kAcceptsPerRound = 8;
  // Before anything else is looked at. Above it connections wait in the backlog of their own
  // socket.
  static constexpr double kAcceptsPerSecond = 2000;
  // Of the 16 admin connections, for those who are in a group of [admin]. A command has one at a
  // time, for a moment.
  static constexpr AdminShare::Limits kMembers{
      .open = 8, .open_of_user = 4, .per_second = 20, .of_user_per_second = 10};
  // And for those who are in none, where people sign in: strangers leave members theirs. The rest
  // is of root and purserd's user, whom nobody else keeps out.
  static constexpr AdminShare::Limits kNewcomers{
      .open = 6, .open_of_user = 3, .per_second = 4, .of_user_per_second = 2};
  // After a failed accept, which is out of descriptors: until then some connection may have ended.
  static constexpr std::chrono::milliseconds kAcceptPause{100};

  struct Parts {
    EventLoop& loop;
    const broker::Clock& clock;
    const broker::Log& log;
    Journal& journal;
    CoreRoles& core;
    Windows& windows;
  };
  FrontDoor(Parts parts, PidfdFrom pidfd_from);

  /// Takes the configuration with its new sockets, some in the place of old ones; closes those of
  /// agents that are gone and every connection that the new configuration would refuse, and stops
  /// the window of each agent whose selectors are others now. Accepts from now on.
  void Adopt(SharedConfig config, Listeners added);
  /// Takes no new connections; those waiting for a window get 503. The sockets' paths are removed.
  void Shut();

  /// From Windows: it takes connections; it is gone, and its connections with it.
  void OnWindowReady(const std::string& key);
  void OnWindowDied(const std::string& key);

  [[nodiscard]] const Connections& connections() const { return connections_; }
  [[nodiscard]] const Listeners& listeners() const { return listeners_; }

 private:
  struct Door {
    TokenBucket bucket;
    EventLoop::Watch readable, resume;
  };
  void OpenDoor(const std::string& agent);
  void Replace(const std::string& agent, Listener next);
  /// Has who waits at the replaced socket ask again, at the new one.
  void DismissWaiting(const Listener& old);
  void Listen(const std::string& agent);
  void Pause(const std::string& agent, broker::Clock::Steady::duration how_long);
  void AcceptSome(const std::string& agent);
  void Receive(const std::string& agent, ipc::Fd socket);
  /// Why a peer is refused.
  struct Fault {
    std::string why;                        // names no values; empty: it is not refused
    broker::policy::SelectorResult failed;  // which selector, if it was one
  };
  /// Whether the peer is this agent, or an administrator.
  [[nodiscard]] Fault FaultOf(const std::string& agent, const broker::policy::Facts& facts) const;
  [[nodiscard]] bool MayForkFor(const broker::policy::Facts& facts);
  void Refuse(const std::string& agent, ipc::Fd socket, const broker::policy::Facts& facts,
              const Fault& fault);
  void Admit(const std::string& agent, ipc::Fd socket, Peer peer);
  void HandOver(uint64_t id);
  bool Pass(const Connections::Connection& connection);
  void TurnAway(uint64_t id, broker::Reason reason);
  void OnEnded(const Connections::Connection& connection);

  Parts parts_;
  Attestor attestor_;
  SharedConfig config_;
  Refusals refusals_;
  FloodLog refused_log_, accept_log_;
  Connections connections_;
  AdminShare members_{kMembers}, newcomers_{kNewcomers};
  uint64_t admin_windows_ = 0;
  Listeners listeners_;
  std::map<std::string, Door> doors_;  // after the listeners: watches go before sockets close
};

}  // namespace sidecar::supervisor
