// BrokerProcess's control channel: what the supervisor says (sidecar/ipc/IPC.md).
#include "broker/policy/selectors.h"
#include "sidecar/broker/broker_process.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {

using broker::Status;
using ipc::MessageType;

// False when it is time to stop: told so, the supervisor is gone, or what it sent is malformed.
bool BrokerProcess::HandleControl() {
  ipc::Message message;
  if (const Status got = ipc::Receive(ipc::kControlFd, &message); !got) {
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
  } else if (type == MessageType::kStatusReport || type == MessageType::kReloadReport ||
             type == MessageType::kKeysDestroyed) {
    supervisor_.Deliver(text);
  } else if (type == MessageType::kOpenedFile) {
    supervisor_.Deliver(text, std::move(fds));
  } else if (type == MessageType::kStopAgents) {
    if (text != "file-gone") broker_.Stop({});
    if (!text.empty()) broker_.kills().HoldByFile(text == "file");
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

std::optional<broker::ErrorCode> BrokerProcess::UnsealFromVault() {
  const std::string kind = broker_.config()->seal.kind;
  if (seal_.usable() || kind != "azure-key-vault") return std::nullopt;
  const Status done = seal_.UnsealFromVault();
  hardening::WipeStack();
  if (done) return std::nullopt;
  log_.Error("sealed",
             {{"kind", kind},
              {"why", done.error().detail},
              {"remedy", "mend the cause; it is tried again by itself, at once: purser reload"}});
  seal_.AskForKeys();  // one that was kept may have come while the vault was asked
  return done.error().code;
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
  timed_roles_.Review(*prepared_->config);  // for good, whatever comes next
  broker_.SetConfig(prepared_->config);
  prepared_.reset();
  earlier_.Begin();
  // Behind the keys that the supervisor kept: they came first, on this channel.
  unseal_retry_.Wake();
}

}  // namespace sidecar::broker_role
