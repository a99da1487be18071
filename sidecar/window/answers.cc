// The second half of Connection: what is answered to a request.
#include <array>
#include <utility>

#include "broker/answer.h"
#include "sidecar/window/connection.h"
#include "sidecar/window/wire.h"

namespace sidecar::window {
namespace {

using broker::Reason, broker::Refusal;

constexpr std::string_view kTokenPath = "/v1/token";
constexpr std::string_view kAlive = "{\"status\":\"ok\"}\n";
// A role is back within a fraction of this.
constexpr uint32_t kRetryAfterSeconds = 1;

}  // namespace

Reply Connection::AnswerRequest() {
  const Head& head = framer_.head();
  const auto route = Match(shared_.socket, head.method, head.path);
  if (!route) return Refuse(route.error());
  if (!head.query.empty() && *route != Route::kAudit) {
    return Refuse({Reason::kUnknownField, "Send this route without a query.", {}, {}});
  }
  switch (*route) {
    case Route::kToken:
      return AnswerToken();
    case Route::kAudit:
      return AnswerAudit();
    case Route::kAdmin:
      return AnswerAdmin();
    case Route::kHealth:
      return {.status = 200, .body = kAlive, .close = close_};
    case Route::kWhoami:
      message_.clear();
      ipc::Encode(ipc::PlainRequest{ipc::MessageType::kWhoami, request_id_}, &message_);
      return Forward(message_);
    case Route::kReady:
      message_.clear();
      ipc::Encode(ipc::PlainRequest{ipc::MessageType::kReady, request_id_}, &message_);
      return Forward(message_);
  }
  return RefuseLocally({Reason::kInternal, {}, {}, {}});
}

Reply Connection::AnswerToken() {
  auto request = ParseTokenRequest(framer_.head(), framer_.body());
  if (!request) return Refuse(request.error());
  message_.clear();
  ipc::Encode(ipc::TokenRequestMessage{request_id_, std::move(*request)}, &message_);
  return Forward(message_);
}

Reply Connection::AnswerAudit() {
  const auto after = ParseAuditQuery(framer_.head().query);
  if (!after) return Refuse(after.error());
  auto page = shared_.audit.Read(*after);
  if (!page) return RefuseLocally({Reason::kLedgerUnavailable, {}, {}, {}});
  body_ = std::move(*page);
  return {.status = 200, .body = body_, .close = close_};
}

Reply Connection::AnswerAdmin() {
  const Head& head = framer_.head();
  if (const auto checked = CheckAdminBody(head, framer_.body()); !checked) {
    return Refuse(checked.error());
  }
  message_.clear();
  ipc::Encode(ipc::AdminRequest{request_id_, std::string(head.method), std::string(head.path),
                                std::string(framer_.body())},
              &message_);
  return Forward(message_);
}

Reply Connection::Forward(std::string_view message) {
  const auto answer = broker_.Ask(message, peer_.get(), After(shared_.timing.answer));
  if (answer) {
    return {.status = answer->status,
            .body = answer->body,
            .retry_after_s = answer->retry_after_s,
            .close = close_};
  }
  close_ = true;
  switch (answer.error()) {
    case AskError::kPeerGone:
      peer_gone_ = true;
      break;
    case AskError::kBrokerGone:
      break;
    case AskError::kTimeout:
      return RefuseLocally({Reason::kOverloaded, {}, {}, {}});
  }
  return RefuseLocally({Reason::kRestarting, {}, {}, {}});
}

// A refusal on the token route leaves its trace in the ledger, through the broker, whose answer
// says where; without a broker it is answered all the same, for nothing is released.
Reply Connection::Refuse(const Refusal& refusal) {
  const bool recorded = shared_.socket == Socket::kAgent && framer_.head().path == kTokenPath;
  if (!recorded) return RefuseLocally(refusal);
  message_.clear();
  ipc::Encode(ipc::Rejected{request_id_, refusal.reason, refusal.hint}, &message_);
  const auto answer = broker_.Ask(message_, peer_.get(), After(shared_.timing.answer));
  if (!answer) {
    close_ = true;
    peer_gone_ = answer.error() == AskError::kPeerGone;
    return RefuseLocally(refusal);
  }
  Reply reply{.status = answer->status,
              .body = answer->body,
              .retry_after_s = answer->retry_after_s,
              .close = close_};
  if (refusal.reason == Reason::kMethodNotAllowed)
    reply.allow = AllowedMethods(shared_.socket, kTokenPath);
  return reply;
}

Reply Connection::RefuseLocally(const Refusal& refusal) {
  const broker::ReasonInfo& info = broker::Describe(refusal.reason);
  body_ = broker::RenderRefusal(refusal, request_id_, std::nullopt);
  Reply reply{.status = info.http_status, .body = body_, .close = close_};
  if (info.http_status == 503) reply.retry_after_s = kRetryAfterSeconds;
  if (refusal.reason == Reason::kMethodNotAllowed) {
    reply.allow = AllowedMethods(shared_.socket, framer_.head().path);
  }
  return reply;
}

}  // namespace sidecar::window
