// sidecar/broker/agent_service.h: an agent's messages, answered.
#pragma once
#include <string>
#include <string_view>

#include "broker/answer.h"
#include "broker/broker.h"
#include "sidecar/broker/connections.h"
#include "sidecar/broker/mint_room.h"
#include "sidecar/broker/readiness.h"

namespace sidecar::broker_role {

/// Turns one message of a window into one kAnswer. Thread-safe. Borrows its collaborators.
class AgentService {
 public:
  AgentService(broker::Broker& broker, const broker::Clock& clock, SharedReadiness& readiness,
               const broker::Approvals& approvals)
      : broker_(broker), clock_(clock), readiness_(readiness), approvals_(approvals) {}

  /// Has the message answered, a malformed one too. Blocks only where NeedsToWait says so.
  void Handle(std::string_view request, const Connections::Answerer& answerer);

 private:
  void IssueToken(std::string_view request, const Connections::Answerer& answerer);
  void Reject(std::string_view request, const Connections::Answerer& answerer);
  void AnswerApproval(std::string_view request, const Connections::Answerer& answerer) const;
  void AnswerWhoami(const std::string& request_id, const Connections::Answerer& answerer);
  void AnswerReady(const std::string& request_id, const Connections::Answerer& answerer);
  broker::AuditRef RefOf(const broker::LedgerReceipt& receipt) const;
  void Refused(const broker::Denied& denied, const std::string& request_id,
               const Connections::Answerer& answerer) const;
  void Issued(const broker::IssuedToken& issued, const std::string& request_id,
              const Connections::Answerer& answerer) const;

  broker::Broker& broker_;
  const broker::Clock& clock_;
  SharedReadiness& readiness_;
  const broker::Approvals& approvals_;
  MintRoom room_;
};

/// Whether the message is for a thread of its own: /v1/whoami takes long where an agent has
/// hundreds of rules.
bool NeedsToWait(std::string_view request);

/// The encoded answer for a refusal without a ledger entry of its own.
void EncodeRefusal(const broker::Refusal& refusal, const std::string& request_id,
                   std::string* answer);
/// Answers with it; `request_id` is empty where the request could not be read.
void SendRefusal(broker::Reason reason, const std::string& request_id,
                 const Connections::Answerer& answerer);

}  // namespace sidecar::broker_role
