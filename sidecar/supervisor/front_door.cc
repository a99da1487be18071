#include "sidecar/supervisor/front_door.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "broker/caller_record.h"
#include "broker/policy/selectors.h"
#include "sidecar/supervisor/fixed_answer.h"

namespace sidecar::supervisor {
namespace {

using broker::Reason;
using broker::policy::Facts, broker::policy::StillAdmits;
using ipc::Fd;

broker::ledger::Entry RefusedEntry(const std::string& agent, const Facts& facts,
                                   const std::string& why,
                                   const broker::policy::SelectorResult& failed) {
  broker::ledger::Entry entry{.type = broker::ledger::EntryType::kConnectionRefused,
                              .outcome = broker::ledger::Outcome::kFailure};
  entry.reason = broker::Describe(Reason::kPeerRefused).name;
  entry.agent = agent;
  entry.caller = broker::RecordOf(facts);
  entry.target_kind = agent.empty() ? "admin_socket" : "agent_socket";
  entry.change["fault"] = why;
  entry.change["selector"] = failed.selector;
  entry.change["wanted"] = broker::policy::RecordedFact(failed.wanted);
  entry.change["found"] = broker::policy::RecordedFact(failed.found);
  return entry;
}

std::optional<broker::policy::Selectors> SelectorsOf(const LoadedConfig& loaded,
                                                     const std::string& agent) {
  const auto found = loaded.config.agents.find(agent);
  if (found == loaded.config.agents.end()) return std::nullopt;
  return found->second.selectors;
}

}  // namespace

FrontDoor::FrontDoor(Parts parts, PidfdFrom pidfd_from)
    : parts_(parts),
      attestor_(pidfd_from),
      refusals_(parts.loop),
      refused_log_(parts.loop, parts.log, "connection_refused"),
      accept_log_(parts.loop, parts.log, "accept_failed"),
      connections_(parts.loop, [this](const Connections::Connection& ended) { OnEnded(ended); }) {}

void FrontDoor::Adopt(SharedConfig config, Listeners added) {
  const SharedConfig before = std::exchange(config_, std::move(config));
  const auto is_gone = [this](const std::string& agent) {
    return !agent.empty() && !config_->config.agents.contains(agent);
  };
  std::erase_if(doors_, [&](const auto& door) { return is_gone(door.first); });
  std::erase_if(listeners_, [&](const auto& listener) { return is_gone(listener.first); });
  for (const uint64_t id : connections_.Select([&](const Connections::Connection& open) {
         return !StillAdmits(before->config, config_->config, open.agent, open.peer.facts);
       })) {
    connections_.Close(id);
  }
  // Who is shut out may have taken its window over: nobody is served by one from before.
  for (const RoleProcess* window : parts_.windows.running()) {
    const RoleProcess::Name& name = window->name();
    if (!name.admin && SelectorsOf(*config_, name.agent) != SelectorsOf(*before, name.agent)) {
      parts_.windows.Stop(name.agent);
    }
  }
  for (auto& [agent, listener] : added) {
    if (listeners_.contains(agent)) {
      Replace(agent, std::move(listener));
    } else {
      listeners_[agent] = std::move(listener);
      OpenDoor(agent);
    }
  }
}

void FrontDoor::Replace(const std::string& agent, Listener next) {
  Listener& old = listeners_.at(agent);
  if (const broker::Status moved = next.TakePlaceOf(old); !moved) {
    return parts_.log.Error(
        "socket_not_replaced",
        {{"agent", agent}, {"why", moved.error().detail}, {"remedy", "restart purserd"}});
  }
  doors_.erase(agent);
  std::swap(old, next);
  OpenDoor(agent);
  DismissWaiting(next);
}

// Without a path a socket is still found through a descriptor of it (/proc/self/fd): it is shut to
// newcomers first, or whoever connected fast enough would keep this going for ever.
void FrontDoor::DismissWaiting(const Listener& old) {
  shutdown(old.fd(), SHUT_RD);
  for (int i = 0; i <= Listener::kBacklog; ++i) {  // the kernel lets one more wait
    Fd waiting(accept4(old.fd(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!waiting.valid()) return;
    refusals_.Answer(std::move(waiting), FixedAnswer(Reason::kRestarting));
  }
}

void FrontDoor::Shut() {
  doors_.clear();
  listeners_.clear();
  for (const uint64_t id :
       connections_.Select([](const Connections::Connection& open) { return !open.served; })) {
    TurnAway(id, Reason::kRestarting);
  }
}

void FrontDoor::OpenDoor(const std::string& agent) {
  doors_.erase(agent);
  doors_.emplace(agent, Door{TokenBucket(kAcceptsPerSecond, kAcceptsPerSecond), {}, {}});
  Listen(agent);
}

void FrontDoor::Listen(const std::string& agent) {
  auto watch = parts_.loop.Add(listeners_.at(agent).fd(), EPOLLIN,
                               [this, agent](uint32_t) { AcceptSome(agent); });
  if (watch) {
    doors_.at(agent).readable = std::move(*watch);
  } else {
    Pause(agent, kAcceptPause);
  }
}

void FrontDoor::Pause(const std::string& agent, broker::Clock::Steady::duration how_long) {
  Door& door = doors_.at(agent);
  door.readable.Reset();
  door.resume = parts_.loop.After(how_long, [this, agent] { Listen(agent); });
}

void FrontDoor::AcceptSome(const std::string& agent) {
  Door& door = doors_.at(agent);
  for (int i = 0; i < kAcceptsPerRound; ++i) {
    const auto now = parts_.clock.Now();
    if (const auto wait = door.bucket.UntilNext(now); wait > wait.zero()) {
      return Pause(agent, wait);
    }
    Fd socket(accept4(listeners_.at(agent).fd(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket.valid()) {
      if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
      const std::string why = strerrorname_np(errno);
      accept_log_.Warn(
          std::string(agent).append(" ").append(why),
          {{"agent", agent}, {"why", why}, {"remedy", "raise the limit of open files"}});
      return Pause(agent, kAcceptPause);
    }
    door.bucket.Take(now);
    Receive(agent, std::move(socket));
  }
}

void FrontDoor::Receive(const std::string& agent, Fd socket) {
  if (!connections_.HasRoom(agent)) {
    return refusals_.Answer(std::move(socket), FixedAnswer(Reason::kOverloaded));
  }
  ExeWanted wanted;
  if (!agent.empty()) {
    const auto& selectors = config_->config.agents.at(agent).selectors;
    wanted = {selectors.exe, !selectors.exe_sha256.empty()};
  }
  Peer peer;
  const broker::Status attested = attestor_.Attest(socket.get(), wanted, &peer);
  const Fault fault = attested ? FaultOf(agent, peer.facts) : Fault{attested.error().detail, {}};
  if (!fault.why.empty()) return Refuse(agent, std::move(socket), peer.facts, fault);
  if (agent.empty() && !MayForkFor(peer.facts)) {
    return refusals_.Answer(std::move(socket), FixedAnswer(Reason::kOverloaded));
  }
  Admit(agent, std::move(socket), std::move(peer));
}

// Whoever may only sign in leaves room for those who are in a group of [admin], and one user of
// each for the next.
bool FrontDoor::MayForkFor(const Facts& facts) {
  const auto& admin = config_->config.admin;
  if (facts.uid == 0 || facts.uid == admin.owner_uid) return true;
  const auto is_member = [&admin](const Facts& whose) {
    return broker::policy::MatchAdmin(admin, whose).outcome ==
           broker::policy::SelectorOutcome::kHeld;
  };
  const bool member = is_member(facts);
  size_t open = 0, own = 0;
  for (const uint64_t id : connections_.Select([](const auto& one) { return one.agent.empty(); })) {
    const Facts& whose = connections_.Find(id)->peer.facts;
    if (whose.uid == 0 || whose.uid == admin.owner_uid || is_member(whose) != member) continue;
    ++open;
    own += whose.uid == facts.uid ? 1 : 0;
  }
  return (member ? members_ : newcomers_).Take(facts.uid, open, own, parts_.clock.Now());
}

FrontDoor::Fault FrontDoor::FaultOf(const std::string& agent, const Facts& facts) const {
  if (!agent.empty()) {
    const auto found = config_->config.agents.find(agent);
    if (found == config_->config.agents.end()) return {"the agent is configured no longer", {}};
    const auto match = broker::policy::MatchSelectors(found->second, facts);
    const auto* failed = match.FirstFailed();
    return {match.FirstFault(), failed == nullptr ? broker::policy::SelectorResult{} : *failed};
  }
  auto admin = broker::policy::MatchAdmin(config_->config, facts);
  if (admin.outcome == broker::policy::SelectorOutcome::kHeld) return {};
  const bool agents = broker::policy::CouldBeAgent(config_->config, facts);
  return {std::string(agents ? broker::policy::kIsAgents : broker::policy::kNoAdminGroup),
          std::move(admin)};
}

void FrontDoor::Refuse(const std::string& agent, Fd socket, const Facts& facts,
                       const Fault& fault) {
  // Who it was stands in the ledger alone.
  refused_log_.Warn(std::string(agent).append(" ").append(fault.why),
                    {{"agent", agent}, {"why", fault.why}});
  parts_.journal.Record(RefusedEntry(agent, facts, fault.why, fault.failed));
  refusals_.Answer(std::move(socket), FixedAnswer(Reason::kPeerRefused));
}

void FrontDoor::Admit(const std::string& agent, Fd socket, Peer peer) {
  const std::string key = agent.empty() ? Windows::AdminKey(++admin_windows_) : agent;
  RoleProcess* window =
      parts_.core.Ready(RoleKind::kBroker) ? parts_.windows.Acquire(key, config_->config) : nullptr;
  if (window == nullptr) {
    return refusals_.Answer(std::move(socket), FixedAnswer(Reason::kRestarting));
  }
  auto id = connections_.Add({agent, key, std::move(peer), std::move(socket), false, {}});
  if (!id && agent.empty()) return parts_.windows.Stop(key);
  if (id && window->started) HandOver(*id);
}

void FrontDoor::HandOver(uint64_t id) {
  Connections::Connection* connection = connections_.Find(id);
  if (connection == nullptr) return;
  if (!parts_.core.Ready(RoleKind::kBroker)) return TurnAway(id, Reason::kRestarting);
  if (!Pass(*connection)) return TurnAway(id, Reason::kOverloaded);
  connection->served = true;
  connection->peer.pidfd.Reset();  // the broker has it
}

bool FrontDoor::Pass(const Connections::Connection& connection) {
  RoleProcess* window = parts_.windows.Get(connection.window);
  auto pair = ipc::MakePair();
  if (window == nullptr || !pair) return false;
  std::vector<int> to_broker{pair->second.get()};
  if (connection.peer.pidfd.valid()) to_broker.push_back(connection.peer.pidfd.get());
  ipc::Connection message{connection.agent, connection.agent.empty(), connection.peer.facts};
  // The broker first: if the window then has no room, the broker reads an end-of-file.
  if (!parts_.core.Get(RoleKind::kBroker)->Offer(message, to_broker)) return false;
  message.facts = {};  // a window needs to know only whose it is
  return window->Offer(message, {connection.socket.get(), pair->first.get()});
}

void FrontDoor::TurnAway(uint64_t id, Reason reason) {
  Connections::Connection* connection = connections_.Find(id);
  const std::string window = connection->window;
  connection->watch.Reset();
  Fd socket = std::move(connection->socket);
  connections_.Remove(id);
  refusals_.Answer(std::move(socket), FixedAnswer(reason));
  if (Windows::IsAdminKey(window)) parts_.windows.Stop(window);
}

void FrontDoor::OnEnded(const Connections::Connection& connection) {
  if (Windows::IsAdminKey(connection.window)) parts_.windows.Stop(connection.window);
}

void FrontDoor::OnWindowReady(const std::string& key) {
  for (const uint64_t id : connections_.Select([&key](const Connections::Connection& open) {
         return open.window == key && !open.served;
       })) {
    HandOver(id);
  }
}

void FrontDoor::OnWindowDied(const std::string& key) {
  for (const uint64_t id : connections_.Select(
           [&key](const Connections::Connection& open) { return open.window == key; })) {
    if (connections_.Find(id)->served) {
      connections_.Remove(id);
    } else {
      TurnAway(id, Reason::kRestarting);
    }
  }
}

}  // namespace sidecar::supervisor
