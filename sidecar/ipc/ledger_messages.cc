// The messages of the ledger's channels: appends, their answers, questions, an agent's trail.
#include <utility>
#include <variant>

#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/message_fields.h"

namespace sidecar::ipc {
namespace {

using broker::Result;
using broker::ledger::Entry;

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
        &entry.policy_sha256, &entry.policy_rule, &entry.approval_id, &entry.approval_by,
        &entry.approval_digest, &entry.upstream_host}) {
    visit(*text);
  }
}

Append GetAppend(Reader& r) {
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
  const bool known = type >= 1 && type <= static_cast<uint8_t>(broker::ledger::kLastEntryType) &&
                     outcome >= 1 &&
                     outcome <= static_cast<uint8_t>(broker::ledger::Outcome::kPending);
  if (!known) r.Fault();
  return message;
}

}  // namespace

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

bool JoinAppend(std::string_view message, std::string* frame) {
  const std::string_view more = message.substr(1);  // of one type with the others
  if (frame->size() + more.size() >= kMaxFrameBytes) return false;
  frame->append(more);
  return true;
}

Result<std::vector<Append>> DecodeAppends(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kAppend);
  std::vector<Append> messages;
  do {
    messages.push_back(GetAppend(r));
  } while (r.ok() && !r.Finished());
  return Finish(r, std::move(messages));
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
  return Finish(r, ReadAudit(message));
}

void Encode(const AuditPage& message, std::string* out) {
  Writer w(out);
  PutType(w, MessageType::kAuditPage);
  w.Text(message.body);
}

Result<AuditPage> DecodeAuditPage(std::string_view bytes) {
  Reader r = Open(bytes, MessageType::kAuditPage);
  return Finish(r, AuditPage{r.TextView()});
}

}  // namespace sidecar::ipc
