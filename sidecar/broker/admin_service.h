// sidecar/broker/admin_service.h: the operator's socket (openapi-admin.json).
#pragma once
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/seal_box.h"
#include "broker/broker.h"
#include "broker/rotations.h"
#include "broker/second_person.h"
#include "sidecar/broker/admin_roles.h"
#include "sidecar/broker/agent_service.h"
#include "sidecar/broker/approval_counts.h"
#include "sidecar/broker/connections.h"
#include "sidecar/broker/logins.h"
#include "sidecar/broker/people.h"
#include "sidecar/broker/revoked_credentials.h"
#include "sidecar/broker/teardown.h"
#include "sidecar/broker/timed_roles.h"
#include "sidecar/broker/upstream_stops.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {

class MetricsText;

/// What the routes act on. All thread-safe, all borrowed. What lives in other processes is reached
/// through one function each.
struct AdminPorts {
  broker::Broker& broker;
  broker::Minter::Ports minter_ports;  // also the ledger, clock and network of the routes
  broker::Minter& minter;
  broker::TokenCache& cache;
  broker::SealedStore& store;
  broker::Rotations& rotations;
  broker::CredentialUses& uses;
  std::function<broker::Status()> keep_uses;  // in the store
  broker::Metrics& metrics;
  RevokedCredentials& revoked;
  TimedRoles& timed_roles;
  broker::Approvals& approvals;
  const ApprovalCounts* approval_counts = nullptr;  // null: nothing is counted
  std::function<broker::Status()> keep_budgets;     // in the store
  std::function<broker::Status(const broker::Secret& passphrase)> unseal;
  std::function<broker::Result<uint64_t>(const broker::policy::Seal&, const broker::Secret& key)>
      rotate_seal;
  std::function<std::string()> store_trouble;
  std::function<broker::Status()> accept_restored;
  std::function<broker::Result<ipc::LedgerState>()> ledger_state;
  std::function<broker::Result<ipc::LedgerState>()> resume_ledger;
  /// One order and its answer, as sidecar/ledger/archiver.h has them.
  std::function<broker::Result<std::string>(const std::string& order)> archive_ledger;
  std::function<broker::Result<std::string>(ipc::MessageType question, const std::string& text)>
      ask_supervisor;
  std::function<Readiness()> readiness;
  /// Drops the store's keys for good; says what reading it gives then.
  std::function<std::string()> forget_store = {};
};

/// Routes by literal path, checks the peer's role first, and writes an entry for each action and
/// each refusal. Thread-safe.
class AdminService {
 public:
  using Json = nlohmann::json;
  /// A result body, or a refusal. A text is no JSON: it is the body as it is.
  using Outcome = std::expected<Json, broker::Refusal>;

  using LedgerOutcome = broker::ledger::Outcome;

  /// Requests of those who hold no role, in a minute: of one user, so that nobody keeps another one
  /// from signing in, which needs about fifteen; and of all, for each may be an entry.
  static constexpr uint32_t kOfUserPerMinute = 40;
  static constexpr uint32_t kCrowdPerMinute = 400;

  explicit AdminService(AdminPorts ports);
  void Handle(const Peer& peer, std::string_view request, std::string* answer);

 private:
  struct Route;
  struct Call {
    const Peer& peer;
    const ipc::AdminRequest& request;
    std::string argument;  // the {name} or {id} of the path
    Json body;
    std::optional<broker::policy::Person> person;  // who is signed in
    GivenRoles given;                              // for a time
    [[nodiscard]] const broker::policy::Person* signed_in() const {
      return person ? &*person : nullptr;
    }
  };
  static const std::vector<Route>& Routes();
  Outcome Dispatch(const Peer& peer, const ipc::AdminRequest& request);
  Outcome Run(const Route& route, Call& call);
  std::optional<broker::Refusal> Shut(const Route& route, const Call& call) const;
  bool IsCrowd(const Call& call);
  Outcome Act(const Route& route, const Call& call);
  broker::ledger::Entry EntryOf(const Call& call, broker::ledger::EntryType type,
                                LedgerOutcome outcome) const;
  bool Record(const Call& call, broker::ledger::EntryType type, LedgerOutcome outcome,
              std::optional<broker::Reason> reason);

  Outcome Status(const Call& call);
  Outcome Ready(const Call& call);
  Outcome Agents(const Call& call);
  Outcome Credentials(const Call& call);
  Outcome ShowMetrics(const Call& call);
  Outcome ShowBudget(const Call& call);
  Outcome RaiseBudget(const Call& call);
  Outcome Reload(const Call& call);
  Outcome StartLogin(const Call& call);
  Outcome PollLogin(const Call& call);
  Outcome OpenLogin(const Call& call);
  Outcome FinishLogin(const Call& call);
  Outcome StartSignIn(const Call& call);
  Outcome PollSignIn(const Call& call);
  Outcome SignOut(const Call& call);
  Outcome SignOutOthers(const Call& call);
  Outcome ShowRoles(const Call& call);
  Outcome GiveRole(const Call& call);
  Outcome EndRole(const Call& call);
  Outcome SealKey(const Call& call);
  Outcome SetSecret(const Call& call);
  Outcome Unseal(const Call& call);
  Outcome RotateSeal(const Call& call);
  Outcome Rotate(const Call& call);
  Outcome ShowRotation(const Call& call);
  Outcome ResumeLedger(const Call& call);
  Outcome ArchiveLedger(const Call& call);
  Outcome AcceptRestored(const Call& call);
  Outcome Kill(const Call& call);
  Outcome Release(const Call& call);
  Outcome ReleaseCredential(const Call& call);
  std::optional<broker::Refusal> AskSecondPerson(const Call& call, const std::string& what,
                                                 uint64_t version, broker::ledger::Entry* entry);
  static Json Proposed(uint64_t seq);
  Outcome Revoke(const Call& call);
  Outcome RevokeCredential(const Call& call, const std::string& why);
  Outcome Upstream(const Call& call);
  broker::Secret TakeForRemoval(const Call& call, const broker::policy::Credential& credential);
  Outcome RevokeToken(const Call& call, const std::string& why);
  Json Destroy(const broker::policy::Credential& credential, std::string* trouble);
  Outcome TearDown(const Call& call);
  Outcome ShowTeardown(const Call& call);
  Teardown::Ports PortsOfTeardown(const Call& call, const broker::ledger::Entry& who);
  Teardown::Supervisor SupervisorOfTeardown() const;
  Json EndUpstream(const Call& call, const std::vector<broker::UpstreamStep>& steps,
                   const broker::ledger::Entry& who, broker::Clock::Steady until);
  Outcome ListApprovals(const Call& call);
  Outcome Approve(const Call& call);
  Outcome DenyApproval(const Call& call);
  Outcome Decided(const Call& call, bool yes);
  Outcome TryCredential(const Call& call);
  Outcome TryHosts(const Call& call);

  void WriteState(const Readiness& now, MetricsText* text);
  void WriteApprovals(MetricsText* text);
  void WriteCredentials(MetricsText* text);
  std::expected<broker::Secret, broker::Refusal> Unwrap(const Call& call) const;
  std::expected<broker::policy::Credential, broker::Refusal> LoginOf(const Call& call) const;
  std::expected<std::optional<broker::Expiry>, broker::Refusal> StatedEnd(
      const Call& call, broker::SecretKind kind) const;
  broker::Status Enrolled(const std::string& credential, bool usable, uint64_t seen);
  Outcome EnrolledAnswer(const std::string& credential, const std::vector<std::string>& consented,
                         uint64_t seen);

  AdminPorts ports_;
  UpstreamStops upstream_;
  Teardown teardown_;
  broker::SealBox seal_box_;
  Logins logins_;
  broker::SecondPerson second_person_;
  People people_;
  std::mutex crowd_mutex_;
  broker::Clock::Steady crowd_since_{};
  std::map<uint32_t, uint32_t> crowd_;  // requests since then of those who hold no role, by user
};

/// `unavailable` stands for kUnavailable and kCorrupt. On the operator's socket the detail is
/// shown: it names causes, never secrets.
broker::Refusal RefusalOf(const broker::Error& error, broker::Reason unavailable);

/// With its times in seconds since the epoch; what is not known is left out.
nlohmann::json AsJson(const broker::RotationView& view);
/// None is under way, and the last one did not fail.
bool IsQuiet(const broker::RotationView& view);

/// Those of `held`, names of one resource, that the configuration does not list for the credential:
/// with them in its tokens, its rules are refused as over_scoped.
std::vector<std::string> OverConsented(const broker::policy::Credential& credential,
                                       const std::vector<std::string>& held);

}  // namespace sidecar::broker_role
