// sidecar/broker/admin_service.h: the operator's socket (design §7).
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "broker/base/seal_box.h"
#include "broker/broker.h"
#include "broker/device_login.h"
#include "sidecar/broker/agent_service.h"
#include "sidecar/broker/connections.h"
#include "sidecar/broker/roles.h"
#include "sidecar/broker/seal_control.h"
#include "sidecar/broker/supervisor_link.h"
#include "sidecar/ipc/ledger_client.h"

namespace sidecar::broker_role {

/// What the routes act on. All thread-safe, all borrowed.
struct AdminPorts {
  broker::Broker& broker;
  broker::Minter::Ports minter_ports;
  broker::Minter& minter;
  broker::TokenCache& cache;
  broker::SealedStore& store;
  SealControl& seal;
  ipc::LedgerClient& ledger;
  SupervisorLink& supervisor;
  std::function<Readiness()> readiness;
};

/// Routes by literal path, checks the peer's role first, and writes an entry for each action and
/// each refusal. Thread-safe.
class AdminService {
 public:
  using Json = nlohmann::json;
  /// A result body, or a refusal.
  using Outcome = std::expected<Json, broker::Refusal>;

  using LedgerOutcome = broker::ledger::Outcome;

  // More people than that do not log in at the same moment; a login lives 15 minutes at Entra.
  static constexpr size_t kMaxLogins = 16;

  explicit AdminService(AdminPorts ports);
  void Handle(const Peer& peer, std::string_view request, std::string* answer);

 private:
  struct Route;
  struct Call {
    const Peer& peer;
    const ipc::AdminRequest& request;
    std::string argument;  // the {name} or {id} of the path
    Json body;
  };
  static const std::vector<Route>& Routes();
  Outcome Dispatch(const Peer& peer, const ipc::AdminRequest& request);
  Outcome Run(const Route& route, Call& call);
  bool Record(const Call& call, broker::ledger::EntryType type, LedgerOutcome outcome,
              std::optional<broker::Reason> reason);

  Outcome Status(const Call& call);
  Outcome Ready(const Call& call);
  Outcome Agents(const Call& call);
  Outcome Credentials(const Call& call);
  Outcome Reload(const Call& call);
  Outcome StartLogin(const Call& call);
  Outcome PollLogin(const Call& call);
  Outcome SealKey(const Call& call);
  Outcome SetSecret(const Call& call);
  Outcome Unseal(const Call& call);
  Outcome RotateSeal(const Call& call);
  Outcome ResumeLedger(const Call& call);
  Outcome TryCredential(const Call& call);
  Outcome TryHosts(const Call& call);

  struct Login {
    std::string credential;
    broker::DeviceLogin flow;
    broker::Clock::Steady ends{};
    std::mutex turn;  // one poll at a time
  };

  AdminPorts ports_;
  broker::SealBox seal_box_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Login>> logins_;
};

}  // namespace sidecar::broker_role
