// sidecar/ipc/opened_file.h: the text of a kOpenedFile without a descriptor.
#pragma once
#include <string>
#include <string_view>

#include "broker/base/result.h"

namespace sidecar::ipc {

/// "not_found: …", "denied: …" or "unavailable: …".
std::string TextOf(const broker::Error& error);
/// The error again; kUnavailable for a text that is none of these.
broker::Error FileErrorOf(std::string_view text);

}  // namespace sidecar::ipc
