// sidecar/broker/agent_service.h: an agent's messages, answered.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "broker/answer.h"
#include "broker/broker.h"
#include "sidecar/broker/connections.h"

namespace sidecar::broker_role {

/// What /readyz says: ledger, store and seal usable; upstream trouble only degrades.
struct Readiness {
  std::vector<std::string> missing;   // "ledger: latched, sync failed: EIO"
  std::vector<std::string> degraded;  // "credential aid-mail: login_required"
};

/// Turns one message of a window into one kAnswer. Thread-safe. Borrows its collaborators.
class AgentService {
 public:
  AgentService(broker::Broker& broker, const broker::Clock& clock,
               std::function<Readiness()> readiness)
      : broker_(broker), clock_(clock), readiness_(std::move(readiness)) {}

  /// Appends the encoded answer; a malformed message gets one too.
  void Handle(const Peer& peer, std::string_view request, std::string* answer);

 private:
  void IssueToken(const Peer& peer, std::string_view request, std::string* answer);
  std::string Whoami(const Peer& peer) const;
  broker::AuditRef RefOf(const broker::LedgerReceipt& receipt) const;
  void Refused(const broker::Denied& denied, const std::string& request_id,
               std::string* answer) const;

  broker::Broker& broker_;
  const broker::Clock& clock_;
  std::function<Readiness()> readiness_;
};

/// The encoded answer for a refusal without a ledger entry of its own.
void EncodeRefusal(const broker::Refusal& refusal, const std::string& request_id,
                   std::string* answer);

}  // namespace sidecar::broker_role
