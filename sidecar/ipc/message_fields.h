// sidecar/ipc/message_fields.h: what the encoders and decoders of messages.h have in common.
#pragma once
#include <string_view>
#include <utility>

#include "sidecar/ipc/codec.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::ipc {

inline void PutType(Writer& w, MessageType type) { w.U8(static_cast<uint8_t>(type)); }

/// A reader behind the expected type byte; faulty from the start on any other.
inline Reader Open(std::string_view bytes, MessageType type) {
  Reader r(bytes);
  if (r.U8() != static_cast<uint8_t>(type)) r.Fault();
  return r;
}

/// kCorrupt unless the reader stands at the end of a well-formed message.
template <class T>
broker::Result<T> Finish(const Reader& r, T&& value, bool within_limits = true) {
  if (r.Finished() && within_limits) return std::forward<T>(value);
  return broker::Fail(broker::ErrorCode::kCorrupt, "malformed message");
}

inline void PutContext(Writer& w, const broker::ledger::ClaimedContext& context) {
  w.Text(context.purpose);
  w.Text(context.task);
  w.Text(context.requested_by);
}

inline broker::ledger::ClaimedContext GetContext(Reader& r) {
  broker::ledger::ClaimedContext context;
  context.purpose = r.Text();
  context.task = r.Text();
  context.requested_by = r.Text();
  return context;
}

}  // namespace sidecar::ipc
