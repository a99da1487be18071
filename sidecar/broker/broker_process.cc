#include "sidecar/broker/broker_process.h"

#include <malloc.h>
#include <sodium.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "broker/base/log.h"
#include "broker/policy/selectors.h"
#include "sidecar/broker/admin_service.h"
#include "sidecar/broker/agent_service.h"
#include "sidecar/broker/configuration.h"
#include "sidecar/broker/connections.h"
#include "sidecar/broker/curl_init.h"
#include "sidecar/broker/curl_transport.h"
#include "sidecar/broker/current_transport.h"
#include "sidecar/broker/dialer_link.h"
#include "sidecar/broker/guarded_handler.h"
#include "sidecar/broker/head_keeper.h"
#include "sidecar/broker/readiness.h"
#include "sidecar/broker/renewals.h"
#include "sidecar/broker/seal_control.h"
#include "sidecar/broker/store_witness.h"
#include "sidecar/broker/supervisor_files.h"
#include "sidecar/broker/supervisor_link.h"
#include "sidecar/broker/vault_set.h"
#include "sidecar/broker/workers.h"
#include "sidecar/hardening/harden.h"
#include "sidecar/hardening/stack_wipe.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/ledger_client.h"
#include "sidecar/ipc/system_ports.h"
#include "token_cache/access_token_cache.h"
#include "token_cache/sealed_store.h"
#include "vault_adapters/sealed.h"

namespace sidecar::broker_role {
namespace {

using broker::ErrorCode, broker::Fail, broker::Log, broker::Secret, broker::Status;
using ipc::MessageType;

constexpr int kControlFd = 3;
// Above Entra's deadline of 15 s and its one retry: what is being minted is still handed over.
constexpr std::chrono::seconds kDrainDeadline{35};

constexpr const char* kHeadMarker = "ledger-head";
const broker::SecretId kFingerprintKey{"fingerprint-key", broker::SecretKind::kInternal};

/// Everything that lives as long as the process; members in the order of dependence.
class BrokerProcess {
 public:
  BrokerProcess(std::unique_ptr<token_cache::SealedStore> store, ipc::LedgerClient& ledger,
                SystemRandom& random, const Log& log)
      : log_(log), random_(random), ledger_(ledger), store_(std::move(store)) {}

  int Serve();

 private:
  // Above what can wait at the same time: each connection has one request under way.
  static constexpr size_t kMaxWorkers = Seats::kMaxOfAgents + Seats::kMaxOfAdmins;

  bool HandleControl();
  void HandleText(MessageType type, const std::string& text, std::vector<ipc::Fd>& fds);
  void Unseal(const std::string& kind, int fd);
  void Prepare(const std::vector<ipc::Fd>& fds);
  void Commit();
  std::shared_ptr<const VaultSet> VaultsOf(const broker::SharedConfig& config);
  Status LoadFingerprintKey();
  Readiness Ready();
  void Serve(std::string_view request, const Connections::Answerer& answerer);
  bool StartGuarded(Workers::Job job);
  void ServeWaiting(const std::string& request, const Connections::Answerer& answerer);
  AdminPorts Admins();

  const Log& log_;
  SystemRandom& random_;
  ipc::LedgerClient& ledger_;
  std::unique_ptr<token_cache::SealedStore> store_;
  SystemClock clock_;
  SystemSleeper sleeper_;
  SupervisorLink supervisor_{kControlFd};
  DialerLink dialer_;
  CurrentTransport http_;
  vault::Sealed own_vault_{*store_};
  CurrentVaults vaults_{own_vault_};
  SupervisorFiles files_{supervisor_};
  std::mutex fingerprint_key_mutex_;
  bool fingerprint_key_loaded_ = false;
  Secret fingerprint_key_ = Secret::Allocate(broker::Minter::kFingerprintKeyBytes);
  HeadKeeper head_{
      {[this] { return ledger_.Query(); }, [this] { return store_->GetMarker(kHeadMarker); },
       [this](const std::string& head) { return store_->PutMarker(kHeadMarker, head); }}};
  SealControl seal_{{*store_, ledger_, supervisor_, random_}, [this] {
                      const Status whole = head_.Compare();
                      return whole ? LoadFingerprintKey() : whole;
                    }};
  broker::Minter::Ports minter_ports_{http_,    vaults_,          ledger_, clock_,  random_,
                                      sleeper_, fingerprint_key_, &log_,   &files_, &vaults_};
  broker::Minter minter_{minter_ports_};
  token_cache::AccessTokenCache cache_{clock_};
  Workers workers_{kMaxWorkers};
  broker::Broker broker_{{cache_, minter_, ledger_, clock_, [this] { return seal_.usable(); },
                          [this](Workers::Job job) { return StartGuarded(std::move(job)); }},
                         std::make_shared<const broker::policy::Config>()};
  SharedReadiness readiness_{[this] { return Ready(); },
                             [this](Workers::Job job) { return StartGuarded(std::move(job)); }};
  AgentService agents_{broker_, clock_, readiness_};
  AdminService admins_{Admins()};
  Connections connections_{
      Guarded([this](std::string_view request,
                     const Connections::Answerer& answerer) { Serve(request, answerer); },
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
      return seal_.usable();
    });
  }};
  std::optional<Prepared> prepared_;
};

int BrokerProcess::Serve() {
  while (HandleControl()) {
  }
  const bool drained = connections_.Drain(kDrainDeadline);
  if (seal_.usable()) [[maybe_unused]]
    const Status noted = head_.Keep();
  log_.Info("stopped", {{"drained", drained}});
  [[maybe_unused]] const Status told = supervisor_.Send(MessageType::kStopped);
  // Threads that wait for Entra or the ledger must not outlive what they borrow.
  _exit(drained ? 0 : 1);
}

void BrokerProcess::Serve(std::string_view request, const Connections::Answerer& answerer) {
  if (!answerer.peer().admin && !NeedsToWait(request)) return agents_.Handle(request, answerer);
  const bool started = workers_.Start([this, text = std::string(request), answerer] {
    Guard(answerer, log_, [&] { ServeWaiting(text, answerer); });
  });
  if (started) return;
  log_.Error("request_without_thread", {{"remedy", "raise TasksMax or the memory limit"}});
  std::string answer;
  EncodeRefusal({broker::Reason::kOverloaded, {}, {}, {}}, {}, &answer);
  answerer.Send(&answer);
}

// A request whose job throws is answered at its end: see Answerer.
bool BrokerProcess::StartGuarded(Workers::Job job) {
  return workers_.Start([this, job = std::move(job)]() mutable {
    try {
      job();
    } catch (...) {
      log_.Error("request_failed",
                 {{"remedy", "report it with what was asked: a fault of purser"}});
    }
  });
}

void BrokerProcess::ServeWaiting(const std::string& request,
                                 const Connections::Answerer& answerer) {
  if (!answerer.peer().admin) return agents_.Handle(request, answerer);
  std::string answer;
  admins_.Handle(answerer.peer(), request, &answer);
  answerer.Send(&answer);
}

// False when it is time to stop: told so, the supervisor is gone, or what it sent is malformed.
bool BrokerProcess::HandleControl() {
  ipc::Message message;
  if (const Status got = ipc::Receive(kControlFd, &message); !got) {
    log_.Error("control_channel_lost", {{"why", got.error().detail}});
    return false;
  }
  const auto type = ipc::TypeOf(message.bytes);
  if (type == MessageType::kConnection) {
    auto connection = ipc::DecodeConnection(message.bytes);
    if (!connection || message.fds.empty()) {
      log_.Error("malformed_message", {{"type", static_cast<int>(*type)}});
      return false;
    }
    ipc::Fd pidfd = message.fds.size() > 1 ? std::move(message.fds[1]) : ipc::Fd();
    connections_.Add(std::move(*connection), std::move(message.fds[0]), std::move(pidfd));
    return true;
  }
  const auto text = ipc::DecodeText(message.bytes);
  if (!text) log_.Error("malformed_message", {{"type", type ? static_cast<int>(*type) : 0}});
  if (!text || text->type == MessageType::kStop) return false;
  if (!message.fds.empty() && text->type == MessageType::kLedgerChannel) {
    ledger_.Reset(std::move(message.fds[0]));
  } else if (!message.fds.empty() && text->type == MessageType::kDialerChannel) {
    dialer_.Reset(std::move(message.fds[0]));
  } else {
    HandleText(text->type, text->text, message.fds);
  }
  return true;
}

void BrokerProcess::HandleText(MessageType type, const std::string& text,
                               std::vector<ipc::Fd>& fds) {
  if (type == MessageType::kConfigure && fds.size() == 2) {
    Prepare(fds);
  } else if (type == MessageType::kCommitConfig) {
    Commit();
  } else if (type == MessageType::kAbortConfig) {
    prepared_.reset();
  } else if (type == MessageType::kUnseal && !fds.empty()) {
    Unseal(text, fds[0].get());
  } else if (type == MessageType::kStatusReport || type == MessageType::kReloadReport) {
    supervisor_.Deliver(text);
  } else if (type == MessageType::kOpenedFile) {
    supervisor_.Deliver(text, std::move(fds));
  } else if (type == MessageType::kPing) {
    connections_.Post([this] {
      // A supervisor that is gone shows as end-of-file on the control channel.
      [[maybe_unused]] const Status sent = supervisor_.Send(MessageType::kWatchdog);
    });
  } else {
    log_.Error("unexpected_message", {{"type", static_cast<int>(type)}});
  }
}

// Each key there is comes in a message of its own; what comes behind the one that fits is not read.
void BrokerProcess::Unseal(const std::string& kind, int fd) {
  if (seal_.usable()) return;
  const Status done = seal_.UnsealFromDescriptor(kind, fd);
  hardening::WipeStack();
  if (!done) {
    return log_.Error("sealed",
                      {{"kind", kind},
                       {"why", done.error().detail},
                       {"remedy", "mend the cause and restart purser, or: purser unseal"}});
  }
  if (const std::string advice = seal_.advice(); !advice.empty()) {
    log_.Warn("unsealed", {{"kind", kind}, {"remedy", advice}});
  }
}

void BrokerProcess::Prepare(const std::vector<ipc::Fd>& fds) {
  prepared_.reset();
  auto prepared =
      broker_role::Prepare(fds[0].get(), fds[1].get(), [this] { return dialer_.OpenStream(); });
  const std::string fault = prepared ? "" : prepared.error().detail;
  if (prepared) prepared_ = std::move(*prepared);
  [[maybe_unused]] const Status sent = supervisor_.Send(MessageType::kConfigured, fault);
}

// Tokens minted for the configuration before are dropped: what they may do was judged by it. So are
// the pairs that it let in and this one would not: a window that was taken over may have given them
// away.
void BrokerProcess::Commit() {
  if (!prepared_) return;
  const broker::SharedConfig before = broker_.config();
  connections_.KeepOnly([&](const Peer& peer) {
    const std::string agent = peer.admin ? std::string() : peer.caller.agent;
    return broker::policy::StillAdmits(*before, *prepared_->config, agent, peer.caller.facts);
  });
  for (const auto& [name, credential] : before->credentials) cache_.Evict(name);
  http_.Replace(prepared_->transport);
  vaults_.Use(VaultsOf(prepared_->config));
  broker_.SetConfig(prepared_->config);
  prepared_.reset();
}

std::shared_ptr<const VaultSet> BrokerProcess::VaultsOf(const broker::SharedConfig& config) {
  return std::make_shared<const VaultSet>(
      *config, VaultSet::Ports{own_vault_, files_, http_, clock_,
                               [this, config](const broker::policy::Credential& identity,
                                              const broker::TokenKey& key) {
                                 broker::ledger::Entry who;
                                 who.target_kind = "vault";
                                 who.target_resource = key.resource;
                                 who.policy_sha256 = config->sha256;
                                 return minter_.Mint(*config, identity, key, who);
                               }});
}

// Once, and in place: threads that mint hold a reference to it.
Status BrokerProcess::LoadFingerprintKey() {
  const std::scoped_lock lock(fingerprint_key_mutex_);
  if (fingerprint_key_loaded_) return {};
  auto kept = store_->Get(kFingerprintKey);
  if (!kept && kept.error().code == ErrorCode::kNotFound) {
    Secret made = Secret::Allocate(broker::Minter::kFingerprintKeyBytes);
    random_.Fill(std::as_writable_bytes(made.Writable()));
    const auto put = store_->Put(kFingerprintKey, made, 0);
    if (!put) return std::unexpected(put.error());
    kept = store_->Get(kFingerprintKey);
  }
  if (!kept) return std::unexpected(kept.error());
  if (kept->value.size() != fingerprint_key_.size()) {
    return Fail(ErrorCode::kCorrupt, "the store's fingerprint key has another length");
  }
  std::ranges::copy(kept->value.Expose(broker::Exit::kFingerprint),
                    fingerprint_key_.Writable().begin());
  fingerprint_key_loaded_ = true;
  return {};
}

Readiness BrokerProcess::Ready() {
  Readiness now;
  const auto ledger = ledger_.Query();
  if (!ledger) now.missing.push_back("ledger: " + ledger.error().detail);
  if (ledger && ledger->latched) now.missing.push_back("ledger: latched, " + ledger->latch_reason);
  if (const std::string trouble = seal_.trouble(); !trouble.empty()) {
    now.missing.push_back("store: " + trouble);
  }
  if (ledger) now.ledger = *ledger;
  now.degraded = minter_.Degraded();
  if (const std::string advice = seal_.advice(); !advice.empty()) {
    now.degraded.push_back("store: " + advice);
  }
  return now;
}

AdminPorts BrokerProcess::Admins() {
  return {
      .broker = broker_,
      .minter_ports = minter_ports_,
      .minter = minter_,
      .cache = cache_,
      .store = *store_,
      .unseal = [this](const Secret& typed) { return seal_.UnsealWithPassphrase(typed); },
      .rotate_seal = [this](const broker::policy::Seal& seal,
                            const Secret& key) { return seal_.Rotate(seal, key); },
      .store_trouble = [this] { return seal_.trouble(); },
      .ledger_state = [this] { return ledger_.Query(); },
      .resume_ledger =
          [this] {
            auto state = ledger_.Resume();
            // A broker that started with a latched ledger had nothing to compare its store with.
            if (state && !state->latched) seal_.AskForKeys();
            return state;
          },
      .ask_supervisor = [this](MessageType question,
                               const std::string& text) { return supervisor_.Ask(question, text); },
      .readiness = [this] { return Ready(); }};
}

broker::Result<std::unique_ptr<BrokerProcess>> Start(const BrokerOptions& options,
                                                     ipc::LedgerClient& ledger,
                                                     SystemRandom& random,
                                                     LedgerStoreWitness& witness, const Log& log) {
  mallopt(M_ARENA_MAX,
          2);  // few arenas serve all threads; a sanitizer's allocator has no such thing
  if (sodium_init() < 0) return Fail(ErrorCode::kUnavailable, "libsodium does not start");
  if (const Status ready = InitCurl(); !ready) return std::unexpected(ready.error());
  if (const Status ready = broker::SecretArena::Init(); !ready)
    return std::unexpected(ready.error());
  auto store = token_cache::SealedStore::Open(options.store, options.tenant, witness, random);
  if (!store) return std::unexpected(store.error());
  const auto findings = hardening::Harden(hardening::Role::kBroker,
                                          {.own_folder = {}, .off_limits = options.off_limits});
  if (!findings) return std::unexpected(findings.error());
  auto process = std::make_unique<BrokerProcess>(std::move(*store), ledger, random, log);
  SupervisorLink supervisor(kControlFd);
  const Status told = supervisor.Send(MessageType::kStarted, hardening::ToJson(*findings));
  if (!told) return std::unexpected(told.error());
  return process;
}

}  // namespace

int RunBroker(const BrokerOptions& options) {
  const Log log(STDERR_FILENO, "broker", getenv("JOURNAL_STREAM") != nullptr);
  ipc::LedgerClient ledger(ipc::LedgerClient::kAckDeadline,
                           ipc::LedgerClient::Receiver::kAttendant);
  SystemRandom random;
  LedgerStoreWitness witness(ledger);
  const auto process = Start(options, ledger, random, witness, log);
  if (!process) {
    log.Error("start_failed", {{"why", process.error().detail}});
    return 1;
  }
  return (*process)->Serve();
}

}  // namespace sidecar::broker_role
