// sidecar/broker/broker_process.h: the broker's collaborators and what binds them together.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "broker/base/log.h"
#include "broker/chat_replies.h"
#include "broker/graph_client.h"
#include "broker/notifiers.h"
#include "broker/policy/kinds.h"
#include "broker/rotations.h"
#include "sidecar/broker/admin_service.h"
#include "sidecar/broker/agent_service.h"
#include "sidecar/broker/approval_counts.h"
#include "sidecar/broker/configuration.h"
#include "sidecar/broker/connections.h"
#include "sidecar/broker/current_transport.h"
#include "sidecar/broker/dialer_link.h"
#include "sidecar/broker/earlier_tokens.h"
#include "sidecar/broker/fingerprint_key.h"
#include "sidecar/broker/guarded_handler.h"
#include "sidecar/broker/head_keeper.h"
#include "sidecar/broker/kept_budgets.h"
#include "sidecar/broker/kept_uses.h"
#include "sidecar/broker/ledger_link.h"
#include "sidecar/broker/metered_transport.h"
#include "sidecar/broker/readiness.h"
#include "sidecar/broker/renewals.h"
#include "sidecar/broker/revoked_credentials.h"
#include "sidecar/broker/seal_control.h"
#include "sidecar/broker/seats.h"
#include "sidecar/broker/supervisor_files.h"
#include "sidecar/broker/supervisor_link.h"
#include "sidecar/broker/timed_roles.h"
#include "sidecar/broker/unseal_retry.h"
#include "sidecar/broker/vault_set.h"
#include "sidecar/broker/workers.h"
#include "sidecar/hardening/stack_wipe.h"
#include "sidecar/ipc/control.h"
#include "sidecar/ipc/ledger_client.h"
#include "sidecar/ipc/system_ports.h"
#include "token_cache/access_token_cache.h"
#include "token_cache/sealed_store.h"
#include "vault_adapters/sealed.h"

namespace sidecar::broker_role {

/// Everything that lives as long as the process; members in the order of dependence. The thread
/// that made it serves the control channel, another one all requests; what must wait has a thread
/// of its own.
class BrokerProcess {
 public:
  /// Takes the store, still sealed. Borrows the rest. REQUIRES: the process is hardened.
  BrokerProcess(std::unique_ptr<token_cache::SealedStore> store, LedgerLink& ledger,
                SystemRandom& random, const broker::Log& log)
      : log_(log),
        random_(random),
        ledger_(ledger.client),
        entries_(ledger.entries),
        metrics_(ledger.metrics),
        store_(std::move(store)) {
    broker_.notices().TellTo([this](const broker::Notice& one) { notifiers_.Released(one); });
  }

  /// Serves until kStop or until the supervisor is gone, lets requests under way finish, and ends
  /// the process: with 0, or 1 if some did not.
  [[noreturn]] void Serve();

 private:
  // Above what can wait at the same time: each connection has one request under way.
  static constexpr size_t kMaxWorkers = Seats::kMaxOfAgents + Seats::kMaxOfAdmins;
  static constexpr const char* kHeadMarker = "ledger-head";  // in the store

  // control.cc: what the supervisor says
  bool HandleControl();
  void HandleText(ipc::MessageType type, const std::string& text, std::vector<ipc::Fd>& fds);
  void Unseal(const std::string& kind, int fd);
  std::optional<broker::ErrorCode> UnsealFromVault();
  void Prepare(const std::vector<ipc::Fd>& fds);
  void Commit();

  // broker_process.cc: what windows ask, and what the collaborators need of each other
  void Handle(std::string_view request, const Connections::Answerer& answerer);
  void HandleWaiting(const std::string& request, const Connections::Answerer& answerer);
  bool StartGuarded(Workers::Job job) { return StartGuarded(workers_, std::move(job)); }
  bool StartGuarded(Workers& workers, Workers::Job job);
  broker::ChatReplies::Ports PortsOfReplies();
  broker::Notifiers::Ports PortsOfNotifiers();
  broker::Rotations::Ports PortsOfRotations();
  broker::Status OnUnsealed();
  broker::Status StopAllAfterRestore();
  std::shared_ptr<const VaultSet> VaultsOf(const broker::SharedConfig& config);
  Readiness Look();
  AdminPorts PortsOfAdmins();

  const broker::Log& log_;
  SystemRandom& random_;
  ipc::LedgerClient& ledger_;
  MeteredLedger& entries_;
  broker::Metrics& metrics_;
  std::unique_ptr<token_cache::SealedStore> store_;
  SystemClock clock_;
  SystemSleeper sleeper_;
  SupervisorLink supervisor_{ipc::kControlFd};
  DialerLink dialer_;
  CurrentTransport http_;
  vault::Sealed own_vault_{*store_};
  CurrentVaults vaults_{own_vault_};
  SupervisorFiles files_{supervisor_};
  FingerprintKey fingerprint_key_{*store_, random_};
  HeadKeeper head_{
      {[this] { return ledger_.Query(); }, [this] { return store_->GetMarker(kHeadMarker); },
       [this](const std::string& head) { return store_->PutMarker(kHeadMarker, head); }}};
  SealVault seal_vault_{{[this] { return broker_.config(); },
                         [this](const std::string& vault) { return vaults_.KeysOf(vault); },
                         entries_}};
  SealControl seal_{{*store_, ledger_, supervisor_, random_, &seal_vault_},
                    [this] { return OnUnsealed(); }};
  UnsealRetry unseal_retry_{[this] { return UnsealFromVault(); }};
  MeteredTransport metered_http_{http_, clock_, metrics_};
  broker::CredentialUses uses_{clock_};
  KeptUses kept_uses_{*store_, uses_};
  broker::Revocations revocations_;
  RevokedCredentials revoked_{*store_, revocations_};
  TimedRoles timed_roles_{{*store_, entries_, clock_,
                           [this](const char* name) { return store_->GetMarker(name); },
                           [this](const char* name, const std::string& text) {
                             return store_->PutMarker(name, text);
                           }}};
  broker::Minter::Ports minter_ports_{
      metered_http_, vaults_, entries_, clock_, random_,   sleeper_,     fingerprint_key_.value(),
      &log_,         &files_, &vaults_, &uses_, &metrics_, &revocations_};
  broker::Minter minter_{minter_ports_};
  token_cache::AccessTokenCache cache_{clock_};
  Workers workers_{kMaxWorkers};
  ApprovalCounts approval_counts_{entries_};
  broker::Approvals approvals_{
      {*store_, approval_counts_, clock_, random_,
       [this](std::string_view agent) { return broker_.kills().IsStopped(agent); },
       [this](const broker::Approval& one) { notifiers_.Opened(one); }}};
  broker::Broker broker_{{cache_, minter_, entries_, clock_, [this] { return seal_.usable(); },
                          [this](Workers::Job job) { return StartGuarded(std::move(job)); },
                          &metrics_, &revocations_, &approvals_},
                         std::make_shared<const broker::policy::Config>()};
  EarlierTokens earlier_{{[this] { return ledger_.Query(); },
                          [this] { return ledger_.OpenReader(); }, broker_.outstanding(), clock_,
                          log_, [this](Workers::Job job) { return StartGuarded(std::move(job)); }}};
  KeptBudgets kept_budgets_{broker_.budgets(),
                            {[this](const char* name) { return store_->GetMarker(name); },
                             [this](const char* name, const std::string& text) {
                               return store_->PutMarker(name, text);
                             }}};
  SharedReadiness readiness_{[this] { return Look(); },
                             [this](Workers::Job job) { return StartGuarded(std::move(job)); }};
  AgentService agents_{broker_, clock_, readiness_, approvals_};
  broker::GraphClient graph_{metered_http_, minter_, clock_};
  // Of their own: whoever hangs takes no agent's.
  Workers notifying_{broker::policy::kMaxNotifiers};
  broker::ChatReplies replies_{PortsOfReplies()};
  broker::Notifiers notifiers_{PortsOfNotifiers()};
  broker::Rotations rotations_{PortsOfRotations()};
  AdminService admins_{PortsOfAdmins()};
  Connections connections_{
      Guarded([this](std::string_view request,
                     const Connections::Answerer& answerer) { Handle(request, answerer); },
              log_),
      {.begins = [this] { ledger_.Hold(); }, .ends = [this] { ledger_.Release(); }}};
  Renewals renewals_{cache_, broker_};
  std::jthread ledger_thread_{[this](const std::stop_token& stop) {
    ledger_.Attend(stop, [] { hardening::WipeStack(); });
  }};
  std::jthread serving_thread_{[this](const std::stop_token& stop) { connections_.Run(stop); }};
  std::jthread head_thread_{[this](const std::stop_token& stop) {
    head_.Run(stop, [this] {
      vaults_.Sweep();
      earlier_.Begin();
      const bool usable = seal_.usable();
      if (usable) [[maybe_unused]]
        const broker::Status kept = kept_uses_.Keep();  // else a minute later
      return usable;
    });
  }};
  std::jthread approvals_thread_{[this](const std::stop_token& stop) {
    while (approvals_.WaitDue(stop)) approvals_.Tick();
  }};
  std::jthread replies_thread_{[this](const std::stop_token& stop) {
    while (replies_.WaitDue(stop)) replies_.Poll();
  }};
  std::jthread budgets_thread_{[this](const std::stop_token& stop) { kept_budgets_.Run(stop); }};
  std::jthread roles_thread_{[this](const std::stop_token& stop) {
    timed_roles_.Run(stop, [this] { return broker_.config(); });
  }};
  std::jthread rotation_thread_{[this](const std::stop_token& stop) { rotations_.Run(stop); }};
  std::jthread unseal_thread_{[this](const std::stop_token& stop) { unseal_retry_.Run(stop); }};
  std::optional<Prepared> prepared_;
};

}  // namespace sidecar::broker_role
