#include "sidecar/ipc/messages.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "sidecar/ipc/codec.h"

namespace sidecar::ipc {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result, broker::TokenRequest;
using broker::ledger::Entry;

void PutType(Writer& w, MessageType type) { w.U8(static_cast<uint8_t>(type)); }

// A reader behind the expected type byte; faulty from the start on any other.
Reader Open(std::string_view bytes, MessageType type) {
  Reader r(bytes);
  if (r.U8() != static_cast<uint8_t>(type)) r.Fault();
  return r;
}

template <class T>
Result<T> Finish(const Reader& r, T&& value, bool within_limits = true) {
  if (!r.Finished() || !within_limits) return Fail(ErrorCode::kCorrupt, "malformed message");
  return std::forward<T>(value);
}

constexpr size_t kMaxRequestId = 64;
constexpr size_t kMaxHint = 512;               // two sentences
constexpr size_t kMaxBody = size_t{64} << 10;  // what the framer lets through

void PutContext(Writer& w, const broker::ledger::ClaimedContext& context) {
  w.Text(context.purpose);
  w.Text(context.task);
  w.Text(context.requested_by);
}

broker::ledger::ClaimedContext GetContext(Reader& r) {
  broker::ledger::ClaimedContext context;
  context.purpose = r.Text();
  context.task = r.Text();
  context.requested_by = r.Text();
  return context;
}

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

void PutCaller(Writer& w, const std::optional<broker::ledger::CallerRecord>& caller) {
  w.Bool(caller.has_value());
  if (!caller) return;
  w.U32(caller->uid);
  w.U32(caller->gid);
  w.I64(caller->pid);
  w.Text(caller->exe_sha256);
  w.Text(caller->unit);
  w.Bool(caller->loginuid.has_value());
  w.U32(caller->loginuid.value_or(0));
}

std::optional<broker::ledger::CallerRecord> GetCaller(Reader& r) {
  if (!r.Bool()) return std::nullopt;
  broker::ledger::CallerRecord caller;
  caller.uid = r.U32();
  caller.gid = r.U32();
  caller.pid = static_cast<int32_t>(r.I64());
  caller.exe_sha256 = r.Text();
  caller.unit = r.Text();
  const bool has_loginuid = r.Bool();
  const uint32_t loginuid = r.U32();
  if (has_loginuid) caller.loginuid = loginuid;
  return caller;
}

void PutChange(Writer& w, const Entry& entry) {
  w.U32(static_cast<uint32_t>(entry.change.size()));
  for (const auto& [key, value] : entry.change) {
    w.Text(key);
    const auto* number = std::get_if<int64_t>(&value);
    w.Bool(number != nullptr);
    if (number != nullptr) {
      w.I64(*number);
    } else {
      w.Text(std::get<std::string>(value));
    }
  }
}

void GetChange(Reader& r, Entry* entry) {
  const uint32_t count = r.U32();
  if (count > Reader::kMaxListItems) r.Fault();
  for (uint32_t i = 0; r.ok() && i < count; ++i) {
    std::string key = r.Text();
    if (r.Bool()) {
      entry->change[std::move(key)] = r.I64();
    } else {
      entry->change[std::move(key)] = r.Text();
    }
  }
}

// One list for both directions, so that they cannot drift apart.
template <class Visit>
void ForEachText(Entry& entry, Visit visit) {
  for (std::string* text :
       {&entry.reason, &entry.agent, &entry.user_oid, &entry.request_id, &entry.trace,
        &entry.target_kind, &entry.target_id, &entry.target_resource, &entry.credential_name,
        &entry.credential_kind, &entry.credential_version, &entry.token_fp, &entry.token_uti,
        &entry.policy_sha256, &entry.policy_rule, &entry.upstream_host}) {
    visit(*text);
  }
}

}  // namespace

std::optional<MessageType> TypeOf(std::string_view message) {
  if (message.empty()) return std::nullopt;
  const auto byte = static_cast<uint8_t>(message.front());
  const auto within = [byte](MessageType first, MessageType last) {
    return byte >= static_cast<uint8_t>(first) && byte <= static_cast<uint8_t>(last);
  };
  using enum MessageType;
  if (within(kTokenRequest, kAnswer) || within(kConnection, kPing) || within(kStarted, kLatched) ||
      within(kAppend, kAuditPage) || within(kDial, kDial)) {
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
  PutContext(w, message.request.context);
  w.Text(message.request.trace);
}

Result<TokenRequestMessage> DecodeTokenRequest(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kTokenRequest);
  TokenRequestMessage message;
  message.request_id = r.Text();
  message.request.scopes = r.List();
  message.request.min_validity = std::chrono::seconds(r.U32());
  message.request.claims = r.Text();
  message.request.dry_run = r.Bool();
  message.request.context = GetContext(r);
  message.request.trace = r.Text();
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
}

Result<AdminRequest> DecodeAdminRequest(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kAdminRequest);
  AdminRequest message;
  message.request_id = r.Text();
  message.method = r.Text();
  message.path = r.Text();
  message.body = r.Text();
  const bool fits = message.request_id.size() <= kMaxRequestId && message.body.size() <= kMaxBody;
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
  Answer message{static_cast<uint16_t>(status), r.U32(), r.TextView()};
  return Finish(r, std::move(message), status >= 200 && status <= 599);
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

void Encode(const Append& message, std::string* out) {
  Writer w(out);
  PutType(w, MessageType::kAppend);
  w.U64(message.id);
  w.U8(static_cast<uint8_t>(message.entry.type));
  w.U8(static_cast<uint8_t>(message.entry.outcome));
  // ForEachText serves both directions; encoding only reads through it.
  ForEachText(const_cast<Entry&>(message.entry), [&w](const std::string& text) { w.Text(text); });
  PutCaller(w, message.entry.caller);
  PutContext(w, message.entry.claimed);
  w.List(message.entry.scopes);
  w.I64(message.entry.token_exp);
  w.I64(message.entry.upstream_status);
  w.I64(message.entry.upstream_ms);
  PutChange(w, message.entry);
}

Result<Append> DecodeAppend(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kAppend);
  Append message;
  message.id = r.U64();
  const uint8_t type = r.U8();
  const uint8_t outcome = r.U8();
  message.entry.type = static_cast<broker::ledger::EntryType>(type);
  message.entry.outcome = static_cast<broker::ledger::Outcome>(outcome);
  ForEachText(message.entry, [&r](std::string& text) { text = r.Text(); });
  message.entry.caller = GetCaller(r);
  message.entry.claimed = GetContext(r);
  message.entry.scopes = r.List();
  message.entry.token_exp = r.I64();
  message.entry.upstream_status = r.I64();
  message.entry.upstream_ms = r.I64();
  GetChange(r, &message.entry);
  const bool known =
      type >= 1 && type <= static_cast<uint8_t>(broker::ledger::EntryType::kLedgerRecovered) &&
      outcome >= 1 && outcome <= static_cast<uint8_t>(broker::ledger::Outcome::kPending);
  return Finish(r, std::move(message), known);
}

void EncodeAcks(const std::vector<Ack>& acks, std::string* out) {
  Writer w(out);
  PutType(w, MessageType::kAcks);
  w.U32(static_cast<uint32_t>(acks.size()));
  for (const Ack& ack : acks) {
    w.U64(ack.id);
    w.U8(ack.error);
    w.U64(ack.seq);
    w.Text(ack.leaf);
    w.Text(ack.detail);
  }
}

Result<std::vector<Ack>> DecodeAcks(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kAcks);
  const uint32_t count = r.U32();
  if (count > Reader::kMaxListItems) r.Fault();
  std::vector<Ack> acks;
  for (uint32_t i = 0; r.ok() && i < count; ++i) {
    Ack ack;
    ack.id = r.U64();
    ack.error = r.U8();
    ack.seq = r.U64();
    ack.leaf = r.TextView();
    ack.detail = r.TextView();
    if (ack.error == 0 && ack.leaf.size() != 32) r.Fault();
    acks.push_back(ack);
  }
  return Finish(r, std::move(acks));
}

void Encode(const LedgerState& message, std::string* out) {
  Writer w(out);
  PutType(w, MessageType::kLedgerState);
  w.Bool(message.latched);
  w.Text(message.latch_reason);
  w.U64(message.seq);
  w.Text(message.leaf_hex);
  w.U64(message.store_intended);
  w.U64(message.store_confirmed);
  w.Bool(message.all_killed);
  w.List(message.killed);
}

Result<LedgerState> DecodeLedgerState(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kLedgerState);
  LedgerState message;
  message.latched = r.Bool();
  message.latch_reason = r.Text();
  message.seq = r.U64();
  message.leaf_hex = r.Text();
  message.store_intended = r.U64();
  message.store_confirmed = r.U64();
  message.all_killed = r.Bool();
  message.killed = r.List();
  return Finish(r, std::move(message));
}

void Encode(const ReadAudit& message, std::string* out) {
  Writer w(out);
  PutType(w, MessageType::kReadAudit);
  w.U64(message.after);
  w.U32(message.limit);
}

Result<ReadAudit> DecodeReadAudit(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kReadAudit);
  ReadAudit message;
  message.after = r.U64();
  message.limit = r.U32();
  return Finish(r, std::move(message));
}

void Encode(const AuditPage& message, std::string* out) {
  Writer w(out);
  PutType(w, MessageType::kAuditPage);
  w.Text(message.body);
}

Result<AuditPage> DecodeAuditPage(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kAuditPage);
  AuditPage message{r.TextView()};
  return Finish(r, std::move(message));
}

}  // namespace sidecar::ipc
