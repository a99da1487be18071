// sidecar/supervisor/fixed_answer.h: the few answers that the supervisor gives itself.
#pragma once
#include <string>

#include "broker/reason.h"

namespace sidecar::supervisor {

/// A whole HTTP/1.1 response in the shape of API.md's errors, closing the connection. Nothing of
/// the request is in it: nobody has read one. Reasons with a retryable row get Retry-After: 1.
std::string FixedAnswer(broker::Reason reason);

}  // namespace sidecar::supervisor
