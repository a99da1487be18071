// sidecar/ipc/questions.h: what the broker asks the supervisor, and what it is told.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/result.h"

namespace sidecar::ipc {

/// A question and its answer begin with the same number and a space: an answer that comes too late
/// is not taken for that of the next question.
struct Numbered {
  uint64_t number = 0;
  std::string text;
};
std::string Encode(const Numbered& message);
/// Nothing for a text that does not begin so.
std::optional<Numbered> DecodeNumbered(std::string_view text);

/// Of a kOpenedFile without a descriptor: "not_found: …", "denied: …" or "unavailable: …".
std::string TextOf(const broker::Error& error);
/// The error again; kUnavailable for a text that is none of these.
broker::Error FileErrorOf(std::string_view text);

}  // namespace sidecar::ipc
