// The second half of Connection: what is answered to a request.
#include <sodium.h>

#include <exception>
#include <utility>

#include "broker/answer.h"
#include "sidecar/window/connection.h"
#include "sidecar/window/request_id.h"
#include "sidecar/window/wire.h"

namespace sidecar::window {
namespace {

using broker::Reason, broker::Refusal;

constexpr std::string_view kTokenPath = "/v1/token";
constexpr std::string_view kMetricsPath = "/metrics";
constexpr std::string_view kAlive = "{\"status\":\"ok\"}\n";
// A role is back within a fraction of this.
constexpr uint32_t kRetryAfterSeconds = 1;

// Wipes what a question held of a user's token, however its scope is left.
struct WipedAtEnd {
  std::string* question;
  bool secret;
  ~WipedAtEnd() {
    if (secret) sodium_memzero(question->data(), question->size());
  }
};

}  // namespace

// `refusal`: of bytes that are no request.
void Connection::Begin(const Refusal* refusal) {
  const Head& head = framer_.head();
  framed_ = refusal == nullptr;
  head_only_ = head.method == "HEAD";
  answered_ = false;
  close_ = !framed_ || head.close || ++served_ == HttpServer::kMaxRequests;
  request_id_ = NewRequestId(shared_.wall);
  try {
    framed_ ? Answer() : Refuse(*refusal);
  } catch (const std::exception&) {
    if (answered_) throw;
    LoseBroker();
    close_ = true;
    RefuseLocally({Reason::kInternal, {}, {}, {}});
  }
}

void Connection::Answer() {
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
    case Route::kApproval:
      return AnswerApproval();
    case Route::kMetrics:
    case Route::kAdmin:
      return AnswerAdmin();
    case Route::kHealth:
      return Send({.status = 200, .body = kAlive, .close = close_});
    case Route::kWhoami:
      return AnswerPlain(ipc::MessageType::kWhoami);
    case Route::kReady:
      return AnswerPlain(ipc::MessageType::kReady);
  }
}

void Connection::AnswerPlain(ipc::MessageType type) {
  shared_.question.clear();
  ipc::Encode(ipc::PlainRequest{type, request_id_}, &shared_.question);
  Ask();
}

void Connection::AnswerToken() {
  auto request = ParseTokenRequest(framer_.head(), framer_.body());
  if (!request) return Refuse(request.error());
  shared_.question.clear();
  ipc::TokenRequestMessage message{std::move(request_id_), std::move(*request)};
  const WipedAtEnd wiped{&shared_.question, message.request.user_assertion != nullptr};
  ipc::Encode(message, &shared_.question);
  request_id_ = std::move(message.request_id);
  Ask();
}

void Connection::AnswerAudit() {
  const auto after = ParseAuditQuery(framer_.head().query);
  if (!after) return Refuse(after.error());
  state_ = State::kAuditing;
  shared_.deadlines.Clear(slot_);
  shared_.audit.Ask(slot_, *after);
}

void Connection::AnswerApproval() {
  const std::string_view path = framer_.head().path;
  shared_.question.clear();
  ipc::Encode(ipc::ApprovalQuestion{request_id_, std::string(path.substr(path.rfind('/') + 1))},
              &shared_.question);
  Ask();
}

void Connection::OnAudit(std::optional<std::string_view> page) {
  if (!page) return RefuseLocally({Reason::kLedgerUnavailable, {}, {}, {}});
  Send({.status = 200, .body = *page, .close = close_});
}

void Connection::AnswerAdmin() {
  const Head& head = framer_.head();
  if (const auto checked = CheckAdminBody(head, framer_.body()); !checked) {
    return Refuse(checked.error());
  }
  shared_.question.clear();
  ipc::Encode(ipc::AdminRequest{request_id_, std::string(head.method), std::string(head.path),
                                std::string(framer_.body()), std::string(head.session)},
              &shared_.question);
  Ask();
}

void Connection::Ask() {
  state_ = State::kAsking;
  shared_.deadlines.Set(slot_, shared_.now + shared_.timing.answer);
  if (!broker_.Ask(shared_.question)) return FailAsking(Reason::kRestarting);
  if (broker_.has_rest()) {
    shared_.poller.Change(broker_.fd(), EPOLLIN | EPOLLOUT, {Watched::Kind::kPair, slot_});
  }
}

void Connection::AskRest() {
  if (!broker_.SendRest()) return FailAsking(Reason::kRestarting);
  if (!broker_.has_rest()) {
    shared_.poller.Change(broker_.fd(), EPOLLIN, {Watched::Kind::kPair, slot_});
  }
}

void Connection::ReceiveAnswer() {
  struct Wiped {
    BrokerLink& broker;
    ipc::Message* scratch;
    ~Wiped() { broker.Wipe(scratch); }
  };
  const auto received = broker_.Receive(&shared_.answer);
  if (received && !received->has_value()) return;  // the rest is on its way
  const Wiped after{broker_, &shared_.answer};
  shared_.answered = true;
  if (!received || broker_.has_rest()) return FailAsking(Reason::kRestarting);
  const ipc::Answer& answer = **received;
  Reply reply{.status = answer.status,
              .body = answer.body,
              .retry_after_s = answer.retry_after_s,
              .close = close_};
  // A refusal of it is JSON like any other.
  reply.metrics = shared_.socket == Socket::kAdmin && answer.status == 200 &&
                  framer_.head().path == kMetricsPath;
  const auto recorded = std::exchange(recorded_, std::nullopt);
  if (recorded && recorded->reason == Reason::kMethodNotAllowed) {
    reply.allow = AllowedMethods(shared_.socket, kTokenPath);
  }
  Send(reply);
}

// What was refused here is refused without a trace: nothing is released.
void Connection::FailAsking(Reason reason) {
  LoseBroker();
  close_ = true;
  const auto recorded = std::exchange(recorded_, std::nullopt);
  RefuseLocally(recorded ? *recorded : Refusal{reason, {}, {}, {}});
}

// A refusal on the token route leaves its trace in the ledger, through the broker, whose answer
// says where.
void Connection::Refuse(const Refusal& refusal) {
  const bool recorded = shared_.socket == Socket::kAgent && framer_.head().path == kTokenPath;
  if (!recorded) return RefuseLocally(refusal);
  recorded_ = refusal;
  shared_.question.clear();
  ipc::Encode(ipc::Rejected{request_id_, refusal.reason, refusal.hint}, &shared_.question);
  Ask();
}

void Connection::RefuseLocally(const Refusal& refusal) {
  const broker::ReasonInfo& info = broker::Describe(refusal.reason);
  const std::string body = broker::RenderRefusal(refusal, request_id_, std::nullopt);
  Reply reply{.status = info.http_status, .body = body, .close = close_};
  if (info.http_status == 503) reply.retry_after_s = kRetryAfterSeconds;
  if (refusal.reason == Reason::kMethodNotAllowed) {
    reply.allow = AllowedMethods(shared_.socket, framer_.head().path);
  }
  Send(reply);
}

}  // namespace sidecar::window
