#include "sidecar/broker/broker_process.h"

#include <unistd.h>

#include "broker/entra_registration.h"
#include "broker/minted_check.h"

namespace sidecar::broker_role {
namespace {

using broker::Secret, broker::Status;
using ipc::MessageType;

// Above Entra's deadline of 15 s and its one retry: what is being minted is still handed over.
constexpr std::chrono::seconds kDrainDeadline{35};

}  // namespace

void BrokerProcess::Serve() {
  while (HandleControl()) {
  }
  approvals_.Close();  // who waits for a person has the answer of now
  const bool drained = connections_.Drain(kDrainDeadline);
  if (seal_.usable()) {
    [[maybe_unused]] const Status kept = kept_uses_.Keep();
    [[maybe_unused]] const Status used = kept_budgets_.Keep();
    [[maybe_unused]] const Status left = timed_roles_.Note();
    [[maybe_unused]] const Status noted = head_.Keep();
  }
  log_.Info("stopped", {{"drained", drained}});
  [[maybe_unused]] const Status told = supervisor_.Send(MessageType::kStopped);
  // Threads that wait for Entra or the ledger must not outlive what they borrow.
  _exit(drained ? 0 : 1);
}

void BrokerProcess::Handle(std::string_view request, const Connections::Answerer& answerer) {
  if (!answerer.peer().admin && !NeedsToWait(request)) return agents_.Handle(request, answerer);
  const bool started = workers_.Start([this, text = std::string(request), answerer] {
    RunGuarded(answerer, log_, [&] { HandleWaiting(text, answerer); });
  });
  if (started) return;
  log_.Error("request_without_thread", {{"remedy", "raise TasksMax or the memory limit"}});
  SendRefusal(broker::Reason::kOverloaded, {}, answerer);
}

// A request whose job throws is answered at its end: see Answerer.
bool BrokerProcess::StartGuarded(Workers& workers, Workers::Job job) {
  return workers.Start([this, job = std::move(job)]() mutable {
    try {
      job();
    } catch (...) {
      log_.Error("request_failed",
                 {{"remedy", "report it with what was asked: a fault of purser"}});
    }
  });
}

void BrokerProcess::HandleWaiting(const std::string& request,
                                  const Connections::Answerer& answerer) {
  if (!answerer.peer().admin) return agents_.Handle(request, answerer);
  std::string answer;
  admins_.Handle(answerer.peer(), request, &answer);
  answerer.Send(&answer);
}

// Nothing is served yet: who was stopped before this process began stays stopped from its first
// request on.
Status BrokerProcess::OnUnsealed() {
  const Status whole = head_.Compare();
  const bool restored = seal_.accepts_restored();
  if (!whole && !(restored && whole.error().code == broker::ErrorCode::kConflict)) return whole;
  if (restored) {
    if (const Status stopped = StopAllAfterRestore(); !stopped) return stopped;
  }
  auto ledger = ledger_.Query();
  if (!ledger) return std::unexpected(ledger.error());
  broker_.kills().Adopt({ledger->all_killed, {ledger->killed.begin(), ledger->killed.end()}});
  if (const Status known = revoked_.Load(); !known) return known;
  if (const Status given = timed_roles_.Load(restored); !given) return given;
  if (const Status loaded = kept_uses_.Load(); !loaded) return loaded;
  if (const Status loaded = approvals_.Load(); !loaded) return loaded;
  if (const Status loaded = kept_budgets_.Load(); !loaded) return loaded;
  return fingerprint_key_.Load();
}

// What was stopped, revoked or used up since the backup was made may be forgotten: a person looks
// first, then lets them go on.
Status BrokerProcess::StopAllAfterRestore() {
  broker_.Stop({});
  broker::ledger::Entry entry{.type = broker::ledger::EntryType::kKillEngaged,
                              .outcome = broker::ledger::Outcome::kSuccess};
  entry.change["by"] = "restore";
  entry.change["why"] = "what happened since the backup may be forgotten";
  if (const auto receipt = entries_.Append(entry); !receipt) {
    return std::unexpected(receipt.error());
  }
  return head_.Keep();
}

std::shared_ptr<const VaultSet> BrokerProcess::VaultsOf(const broker::SharedConfig& config) {
  return std::make_shared<const VaultSet>(
      *config, VaultSet::Ports{own_vault_, files_, metered_http_, clock_,
                               [this, config](const broker::policy::Credential& identity,
                                              const broker::TokenKey& key) {
                                 broker::ledger::Entry who;
                                 who.target_kind = "vault";
                                 who.target_resource = key.resource;
                                 who.policy_sha256 = config->sha256;
                                 auto token = minter_.Mint(*config, identity, key, who);
                                 if (!token) return token;
                                 auto wrong = broker::CheckForVault(**token, *config, identity,
                                                                    key.resource, clock_.WallNow());
                                 if (!wrong) return token;
                                 minter_.ReportRefused(identity, {}, *wrong);
                                 return broker::MintResult(std::unexpected(std::move(*wrong)));
                               },
                               [this, config](const broker::policy::Credential& identity) {
                                 return revocations_.Find(*config, identity).has_value();
                               },
                               [this, config](const std::string& credential) {
                                 const auto& key = config->credentials.at(credential);
                                 return broker::ActiveVersion(
                                     *store_, credential, broker::KeyPlace(key.vault, key.secret));
                               }});
}

Readiness BrokerProcess::Look() {
  Readiness now;
  const auto ledger = ledger_.Query();
  if (!ledger) now.missing.push_back("ledger: " + ledger.error().detail);
  if (ledger && ledger->latched) now.missing.push_back("ledger: latched, " + ledger->latch_reason);
  if (const std::string trouble = seal_.trouble(); !trouble.empty()) {
    now.missing.push_back("store: " + trouble);
  }
  if (ledger) now.ledger = *ledger;
  for (const auto& trouble : minter_.Degraded()) {
    now.degraded.push_back(trouble.what);
    now.explained.push_back(trouble.what + (trouble.detail.empty() ? "" : ": ") + trouble.detail);
  }
  if (const std::string advice = seal_.advice(); !advice.empty()) {
    now.degraded.push_back("store: " + advice);
    now.explained.push_back("store: " + advice);
  }
  return now;
}

broker::ChatReplies::Ports BrokerProcess::PortsOfReplies() {
  return {.graph = graph_,
          .revocations = revocations_,
          .approvals = approvals_,
          .ledger = entries_,
          .clock = clock_,
          .random = random_,
          .config = [this] { return broker_.config(); },
          .stopped = [this](const std::string& agent) { return broker_.kills().IsStopped(agent); },
          .again = [this](const std::string& notifier,
                          const broker::Approval& one) { notifiers_.Again(notifier, one); },
          .log = &log_};
}

broker::Notifiers::Ports BrokerProcess::PortsOfNotifiers() {
  return {.http = metered_http_,
          .vault = vaults_,
          .ledger = entries_,
          .clock = clock_,
          .sleeper = sleeper_,
          .graph = graph_,
          .revocations = revocations_,
          .config = [this] { return broker_.config(); },
          .start = [this](Workers::Job job) { return StartGuarded(notifying_, std::move(job)); },
          .stopped = [this](const std::string& agent) { return broker_.kills().IsStopped(agent); },
          .pending =
              [this](const std::string& id) {
                const auto found = approvals_.Find(id);
                return found && found->state == broker::ApprovalState::kPending;
              },
          .log = &log_,
          .replies = &replies_};
}

broker::Rotations::Ports BrokerProcess::PortsOfRotations() {
  const auto entry = [](const std::string& request_id) {
    broker::ledger::Entry who;
    who.request_id = request_id;
    who.target_kind = "rotation";
    return who;
  };
  return {.journal = *store_,
          .vault = vaults_,
          .ledger = entries_,
          .clock = clock_,
          .random = random_,
          .config = [this] { return broker_.config(); },
          .usable = [this] { return seal_.usable(); },
          .registration =
              [this, entry](const broker::policy::Config& config,
                            const broker::policy::Credential& credential,
                            const std::string& request_id) {
                return std::make_unique<broker::EntraRegistration>(
                    broker::EntraRegistration::Ports{metered_http_, graph_, clock_, random_,
                                                     &revocations_,
                                                     vaults_.VersionsOf(credential.name)},
                    config, credential, entry(request_id));
              },
          .redeem = [this, entry](const std::string& credential, const std::string& request_id)
              -> broker::MintResult { return broker_.Try(credential, entry(request_id)); },
          .switched =
              [this](const broker::RotationView& now) {
                // What was remembered of the old secret no longer holds; tokens in the cache do.
                minter_.Forget(now.credential);
                const broker::Clock::Wall ends{std::chrono::seconds(now.rotated) +
                                               broker::Rotation::kLife};
                const auto config = broker_.config();
                const auto credential = config->credentials.find(now.credential);
                const bool certificate = credential != config->credentials.end() &&
                                         (credential->second.kind == "certificate" ||
                                          credential->second.kind == "key-vault-key");
                const auto by =
                    certificate ? broker::Expiry::By::kCertificate : broker::Expiry::By::kOperator;
                uses_.Enrolled(now.credential, broker::Expiry{ends, by, now.new_version});
              },
          .log = &log_,
          .revocations = &revocations_,
          .writer = &vaults_,
          .keys = [this](const std::string& credential) { return vaults_.VersionsOf(credential); }};
}

AdminPorts BrokerProcess::PortsOfAdmins() {
  return {
      .broker = broker_,
      .minter_ports = minter_ports_,
      .minter = minter_,
      .cache = cache_,
      .store = *store_,
      .rotations = rotations_,
      .uses = uses_,
      .keep_uses = [this] { return kept_uses_.Keep(); },
      .metrics = metrics_,
      .revoked = revoked_,
      .timed_roles = timed_roles_,
      .approvals = approvals_,
      .approval_counts = &approval_counts_,
      .keep_budgets = [this] { return kept_budgets_.Keep(); },
      .unseal = [this](const Secret& typed) { return seal_.UnsealWithPassphrase(typed); },
      .rotate_seal = [this](const broker::policy::Seal& seal,
                            const Secret& key) { return seal_.Rotate(seal, key); },
      .store_trouble = [this] { return seal_.trouble(); },
      .accept_restored =
          [this] {
            Status accepted = seal_.AcceptRestored();
            if (accepted) {
              seal_.AskForKeys();
              unseal_retry_.Wake();
            }
            return accepted;
          },
      .ledger_state = [this] { return ledger_.Query(); },
      .resume_ledger =
          [this] {
            auto state = ledger_.Resume();
            // A broker that started with a latched ledger had nothing to compare its store with.
            if (state && !state->latched) {
              seal_.AskForKeys();
              unseal_retry_.Wake();
            }
            return state;
          },
      .archive_ledger = [this](const std::string& order) { return ledger_.Archive(order); },
      .ask_supervisor = [this](MessageType question,
                               const std::string& text) { return supervisor_.Ask(question, text); },
      .readiness = [this] { return Look(); },
      .forget_store = [this] { return seal_.Forget(); }};
}

}  // namespace sidecar::broker_role
