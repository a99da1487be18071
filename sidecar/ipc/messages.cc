#include "sidecar/ipc/messages.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "sidecar/ipc/message_fields.h"

namespace sidecar::ipc {
namespace {

using broker::Result, broker::TokenRequest;

constexpr size_t kMaxRequestId = 64;
constexpr size_t kMaxApprovalId = 64;  // as the window's routes have it
constexpr size_t kMaxHint = 512;       // two sentences
constexpr size_t kMaxSession = 128;
constexpr size_t kMaxBody = size_t{64} << 10;  // what the framer lets through

bool WithinLimits(const TokenRequest& request) {
  const auto fits = [](const std::string& text) {
    return text.size() <= TokenRequest::kMaxContextBytes;
  };
  return request.scopes.size() <= TokenRequest::kMaxScopes &&
         std::ranges::all_of(request.scopes,
                             [](const std::string& scope) {
                               return scope.size() <= TokenRequest::kMaxScopeBytes;
                             }) &&
         request.claims.size() <= TokenRequest::kMaxClaimsBytes &&
         request.min_validity.count() <= TokenRequest::kMaxMinValidity &&
         request.wait.count() <= TokenRequest::kMaxWait &&
         request.approval.size() <= TokenRequest::kApprovalIdBytes &&
         request.trace.size() <= TokenRequest::kMaxTraceBytes && fits(request.context.purpose) &&
         fits(request.context.task) && fits(request.context.requested_by);
}

void PutFacts(Writer& w, const broker::policy::Facts& facts) {
  w.U32(facts.uid);
  w.U32(facts.gid);
  w.U32(static_cast<uint32_t>(facts.groups.size()));
  for (const uint32_t group : facts.groups) w.U32(group);
  w.I64(facts.pid);
  w.Text(facts.cgroup);
  w.Text(facts.systemd_unit);
  w.Text(facts.exe_path);
  w.U8(facts.exe_matches ? (*facts.exe_matches ? 1 : 0) : 2);
  w.Text(facts.exe_sha256);
  w.Bool(facts.loginuid.has_value());
  w.U32(facts.loginuid.value_or(0));
}

broker::policy::Facts GetFacts(Reader& r) {
  broker::policy::Facts facts;
  facts.uid = r.U32();
  facts.gid = r.U32();
  const uint32_t groups = r.U32();
  if (groups > Reader::kMaxListItems) r.Fault();
  for (uint32_t i = 0; r.ok() && i < groups; ++i) facts.groups.push_back(r.U32());
  facts.pid = static_cast<int32_t>(r.I64());
  facts.cgroup = r.Text();
  facts.systemd_unit = r.Text();
  facts.exe_path = r.Text();
  const uint8_t exe = r.U8();
  if (exe > 2) r.Fault();
  if (exe < 2) facts.exe_matches = exe == 1;
  facts.exe_sha256 = r.Text();
  const bool has_loginuid = r.Bool();
  const uint32_t loginuid = r.U32();
  if (has_loginuid) facts.loginuid = loginuid;
  return facts;
}

}  // namespace

std::optional<MessageType> TypeOf(std::string_view message) {
  if (message.empty()) return std::nullopt;
  const auto byte = static_cast<uint8_t>(message.front());
  const auto within = [byte](MessageType first, MessageType last) {
    return byte >= static_cast<uint8_t>(first) && byte <= static_cast<uint8_t>(last);
  };
  using enum MessageType;
  if (within(kTokenRequest, kApproval) || within(kConnection, kKeysDestroyed) ||
      within(kStarted, kDestroyKeys) || within(kAppend, kLedgerArchived) || within(kDial, kDial)) {
    return static_cast<MessageType>(byte);
  }
  return std::nullopt;
}

void Encode(const TokenRequestMessage& message, std::string* out) {
  Writer w(out);
  PutType(w, MessageType::kTokenRequest);
  w.Text(message.request_id);
  w.List(message.request.scopes);
  w.U32(static_cast<uint32_t>(message.request.min_validity.count()));
  w.Text(message.request.claims);
  w.Bool(message.request.dry_run);
  w.Text(message.request.approval);
  w.U32(static_cast<uint32_t>(message.request.wait.count()));
  PutContext(w, message.request.context);
  w.Text(message.request.trace);
  w.Text(message.request.user_assertion
             ? message.request.user_assertion->Expose(broker::Exit::kPassToRole)
             : std::string_view());
}

Result<TokenRequestMessage> DecodeTokenRequest(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kTokenRequest);
  TokenRequestMessage message;
  message.request_id = r.Text();
  message.request.scopes = r.List();
  message.request.min_validity = std::chrono::seconds(r.U32());
  message.request.claims = r.Text();
  message.request.dry_run = r.Bool();
  message.request.approval = r.Text();
  message.request.wait = std::chrono::seconds(r.U32());
  message.request.context = GetContext(r);
  message.request.trace = r.Text();
  const std::string_view assertion = r.TextView();
  if (assertion.size() > TokenRequest::kMaxUserAssertionBytes) {
    r.Fault();
  } else if (!assertion.empty()) {
    message.request.user_assertion =
        std::make_shared<const broker::Secret>(broker::Secret::CopyOf(assertion));
  }
  const bool fits = message.request_id.size() <= kMaxRequestId && WithinLimits(message.request);
  return Finish(r, std::move(message), fits);
}

void Encode(const PlainRequest& message, std::string* out) {
  Writer w(out);
  PutType(w, message.type);
  w.Text(message.request_id);
}

Result<PlainRequest> DecodePlainRequest(std::string_view bytes) {
  Reader r(bytes);
  PlainRequest message{static_cast<MessageType>(r.U8()), r.Text()};
  const bool known = message.type == MessageType::kWhoami || message.type == MessageType::kReady;
  return Finish(r, std::move(message), known && message.request_id.size() <= kMaxRequestId);
}

void Encode(const ApprovalQuestion& message, std::string* out) {
  Writer w(out);
  PutType(w, MessageType::kApproval);
  w.Text(message.request_id);
  w.Text(message.id);
}

Result<ApprovalQuestion> DecodeApprovalQuestion(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kApproval);
  ApprovalQuestion message{r.Text(), r.Text()};
  const bool fits =
      message.request_id.size() <= kMaxRequestId && message.id.size() <= kMaxApprovalId;
  return Finish(r, std::move(message), fits);
}

void Encode(const Rejected& message, std::string* out) {
  Writer w(out);
  PutType(w, MessageType::kRejected);
  w.Text(message.request_id);
  w.U32(static_cast<uint32_t>(message.reason));
  w.Text(message.hint);
}

Result<Rejected> DecodeRejected(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kRejected);
  std::string request_id = r.Text();
  const uint32_t reason = r.U32();
  std::string hint = r.Text();
  const bool fits = reason < broker::AllReasons().size() && request_id.size() <= kMaxRequestId &&
                    hint.size() <= kMaxHint;
  return Finish(
      r, Rejected{std::move(request_id), static_cast<broker::Reason>(reason), std::move(hint)},
      fits);
}

void Encode(const AdminRequest& message, std::string* out) {
  Writer w(out);
  PutType(w, MessageType::kAdminRequest);
  w.Text(message.request_id);
  w.Text(message.method);
  w.Text(message.path);
  w.Text(message.body);
  w.Text(message.session);
}

Result<AdminRequest> DecodeAdminRequest(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kAdminRequest);
  AdminRequest message;
  message.request_id = r.Text();
  message.method = r.Text();
  message.path = r.Text();
  message.body = r.Text();
  message.session = r.Text();
  const bool fits = message.request_id.size() <= kMaxRequestId && message.body.size() <= kMaxBody &&
                    message.session.size() <= kMaxSession;
  return Finish(r, std::move(message), fits);
}

void Encode(const Answer& message, std::string* out) {
  Writer w(out);
  PutType(w, MessageType::kAnswer);
  w.U32(message.status);
  w.U32(message.retry_after_s);
  w.Text(message.body);
}

Result<Answer> DecodeAnswer(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kAnswer);
  const uint32_t status = r.U32();
  const uint32_t retry_after_s = r.U32();
  const std::string_view body = r.TextView();
  return Finish(r, Answer{static_cast<uint16_t>(status), retry_after_s, body},
                status >= 200 && status <= 599);
}

void Encode(const Connection& message, std::string* out) {
  Writer w(out);
  PutType(w, MessageType::kConnection);
  w.Text(message.agent);
  w.Bool(message.admin);
  PutFacts(w, message.facts);
}

Result<Connection> DecodeConnection(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kConnection);
  Connection message;
  message.agent = r.Text();
  message.admin = r.Bool();
  message.facts = GetFacts(r);
  return Finish(r, std::move(message));
}

void Encode(const TextMessage& message, std::string* out) {
  Writer w(out);
  PutType(w, message.type);
  w.Text(message.text);
}

Result<TextMessage> DecodeText(std::string_view bytes) {
  const auto type = TypeOf(bytes);
  Reader r(bytes);
  r.U8();
  TextMessage message{type.value_or(MessageType::kStop), r.Text()};
  return Finish(r, std::move(message), type.has_value());
}

}  // namespace sidecar::ipc
