#include "sidecar/broker/agent_service.h"

#include <sodium.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "sidecar/broker/budget_rows.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {
namespace {

using broker::Reason, broker::Refusal;
using nlohmann::json;

void EncodeJson(uint16_t status, const json& body, std::string* answer) {
  const std::string text = body.dump(-1, ' ', false, json::error_handler_t::replace);
  ipc::Encode(ipc::Answer{status, 0, text}, answer);
}

std::string Hex(const std::array<uint8_t, 32>& bytes) {
  std::string hex(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), bytes.data(), bytes.size());
  hex.pop_back();
  return hex;
}

void EncodeError(const Refusal& refusal, const std::string& body, std::string* answer) {
  const auto wait = refusal.retry_after.value_or(std::chrono::seconds{0}).count();
  ipc::Encode(ipc::Answer{static_cast<uint16_t>(broker::Describe(refusal.reason).http_status),
                          static_cast<uint32_t>(std::max<int64_t>(0, wait)), body},
              answer);
}

json FactsAsJson(const broker::policy::Facts& facts) {
  json shown = {{"uid", facts.uid}, {"gid", facts.gid}, {"groups", facts.groups}};
  if (facts.pid != 0) shown["pid"] = facts.pid;
  if (!facts.cgroup.empty()) shown["cgroup"] = facts.cgroup;
  if (!facts.systemd_unit.empty()) shown["systemd_unit"] = facts.systemd_unit;
  if (!facts.exe_sha256.empty()) shown["exe_sha256"] = facts.exe_sha256;
  return shown;
}

json RulesAsJson(const broker::policy::Agent& agent) {
  json rules = json::array();
  for (const auto& rule : agent.rules) {
    rules.push_back({{"name", rule.name},
                     {"scopes", rule.scopes},
                     {"deliver", rule.deliver},
                     {"decision", rule.decision}});
  }
  return rules;
}

bool IsKilled(const ipc::LedgerState& ledger, const std::string& agent) {
  return ledger.all_killed || std::ranges::find(ledger.killed, agent) != ledger.killed.end();
}

}  // namespace

void EncodeRefusal(const Refusal& refusal, const std::string& request_id, std::string* answer) {
  EncodeError(refusal, broker::RenderRefusal(refusal, request_id, std::nullopt), answer);
}

void SendRefusal(Reason reason, const std::string& request_id,
                 const Connections::Answerer& answerer) {
  std::string answer;
  EncodeRefusal({reason, {}, {}, {}}, request_id, &answer);
  answerer.Send(&answer);
}

bool NeedsToWait(std::string_view request) {
  return ipc::TypeOf(request) == ipc::MessageType::kWhoami;
}

void AgentService::Handle(std::string_view request, const Connections::Answerer& answerer) {
  const auto type = ipc::TypeOf(request);
  if (type == ipc::MessageType::kTokenRequest) return IssueToken(request, answerer);
  if (type == ipc::MessageType::kRejected) return Reject(request, answerer);
  if (type == ipc::MessageType::kApproval) return AnswerApproval(request, answerer);
  const auto plain = ipc::DecodePlainRequest(request);
  if (plain && plain->type == ipc::MessageType::kReady)
    return AnswerReady(plain->request_id, answerer);
  if (plain) return AnswerWhoami(plain->request_id, answerer);
  SendRefusal(Reason::kMalformedRequest, {}, answerer);
}

void AgentService::AnswerReady(const std::string& request_id,
                               const Connections::Answerer& answerer) {
  const bool asked = readiness_.Ask([answerer](const Readiness& now) {
    std::string answer;
    EncodeJson(
        now.missing.empty() ? 200 : 503,
        {{"ready", now.missing.empty()}, {"missing", now.missing}, {"degraded", now.degraded}},
        &answer);
    answerer.Send(&answer);
  });
  if (!asked) SendRefusal(Reason::kOverloaded, request_id, answerer);
}

void AgentService::Reject(std::string_view request, const Connections::Answerer& answerer) {
  auto rejected = ipc::DecodeRejected(request);
  if (!rejected) return SendRefusal(Reason::kMalformedRequest, {}, answerer);
  broker_.RecordRejected(
      answerer.peer().caller, rejected->reason, rejected->request_id,
      [this, answerer, hint = std::move(rejected->hint), id = rejected->request_id](auto result) {
        result.error().refusal.hint = hint;
        Refused(result.error(), id, answerer);
      });
}

void AgentService::IssueToken(std::string_view request, const Connections::Answerer& answerer) {
  auto message = ipc::DecodeTokenRequest(request);
  if (!message) return SendRefusal(Reason::kMalformedRequest, {}, answerer);
  const broker::Caller& caller = answerer.peer().caller;
  const size_t bytes = MintRoom::BytesOf(message->request);
  // Held with the answer: until it was given, and whatever became of the request.
  const auto room = bytes == 0 ? nullptr : room_.Admit(caller.agent, bytes);
  const auto answer = [this, answerer, room, id = message->request_id](auto result) {
    result ? Issued(*result, id, answerer) : Refused(result.error(), id, answerer);
  };
  if (bytes != 0 && !room) {
    return broker_.RecordRejected(caller, Reason::kOverloaded, message->request_id, answer);
  }
  broker_.IssueToken(caller, message->request, message->request_id, answer);
}

// Its own alone: of another agent's it is not even said that there is one.
void AgentService::AnswerApproval(std::string_view request,
                                  const Connections::Answerer& answerer) const {
  const auto question = ipc::DecodeApprovalQuestion(request);
  if (!question) return SendRefusal(Reason::kMalformedRequest, {}, answerer);
  const auto approval = approvals_.Find(question->id);
  if (!approval || approval->agent != answerer.peer().caller.agent) {
    return SendRefusal(Reason::kNotFound, question->request_id, answerer);
  }
  json body = {{"approval", approval->id},
               {"state", broker::NameOf(approval->state)},
               {"scopes", approval->about.scopes},
               {"digest", approval->digest},
               {"request_id", question->request_id}};
  if (approval->open()) body["expires_in"] = approvals_.LeftOf(*approval).count();
  if (approval->state == broker::ApprovalState::kPending) {
    body["interval"] = approvals_.IntervalOf(*approval).count();
  }
  if (approval->state == broker::ApprovalState::kGranted) body["uses_left"] = approval->uses_left;
  std::string answer;
  EncodeJson(200, body, &answer);
  answerer.Send(&answer);
}

void AgentService::Issued(const broker::IssuedToken& issued, const std::string& request_id,
                          const Connections::Answerer& answerer) const {
  std::string answer;
  if (!issued.token) {
    EncodeJson(200,
               {{"dry_run", true},
                {"decision", issued.waits ? "approve" : "allow"},
                {"rules", issued.rules},
                {"request_id", request_id}},
               &answer);
    return answerer.Send(&answer);
  }
  std::string body;
  broker::RenderToken(*issued.token, clock_.Now(), request_id, RefOf(issued.receipt), &body);
  ipc::Encode(ipc::Answer{200, 0, body}, &answer);
  sodium_memzero(body.data(), body.size());
  answerer.Send(&answer);
}

void AgentService::Refused(const broker::Denied& denied, const std::string& request_id,
                           const Connections::Answerer& answerer) const {
  std::optional<broker::AuditRef> audit;
  if (denied.receipt && denied.receipt->seq != 0) audit = RefOf(*denied.receipt);
  std::string answer;
  EncodeError(denied.refusal, broker::RenderRefusal(denied.refusal, request_id, audit), &answer);
  answerer.Send(&answer);
}

broker::AuditRef AgentService::RefOf(const broker::LedgerReceipt& receipt) const {
  return {broker_.config()->instance.name, receipt.seq, Hex(receipt.leaf)};
}

// Whether the agent is stopped only the ledger knows: asked once for all who ask meanwhile.
void AgentService::AnswerWhoami(const std::string& request_id,
                                const Connections::Answerer& answerer) {
  const Peer& peer = answerer.peer();
  const auto config = broker_.config();
  json who = {{"agent", peer.caller.agent},
              {"instance", config->instance.name},
              {"attested", FactsAsJson(peer.caller.facts)}};
  if (!config->hardening.strict) who["hardening"] = "weak";
  if (config->hardening.allow_same_uid) who["allow_same_uid"] = true;
  if (const auto agent = config->agents.find(peer.caller.agent); agent != config->agents.end()) {
    who["rules"] = RulesAsJson(agent->second);
    who["limits"] = BudgetRows(broker_.budgets().Of(agent->second));
    if (const auto left = broker_.RemainingBudget(peer.caller.agent)) {
      who["budget"] = {{"remaining", *left},
                       {"limit", agent->second.limit.count},
                       {"per_seconds", agent->second.limit.per.count()}};
    }
  }
  const bool asked = readiness_.Ask([answerer, who = std::move(who)](const Readiness& now) mutable {
    if (now.ledger) who["killed"] = IsKilled(*now.ledger, answerer.peer().caller.agent);
    std::string answer;
    EncodeJson(200, who, &answer);
    answerer.Send(&answer);
  });
  if (!asked) SendRefusal(Reason::kOverloaded, request_id, answerer);
}

}  // namespace sidecar::broker_role
