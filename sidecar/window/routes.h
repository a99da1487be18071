// sidecar/window/routes.h: the literal list of what each socket serves. Pure.
#pragma once
#include <expected>
#include <string>
#include <string_view>

#include "broker/reason.h"

namespace sidecar::window {

enum class Socket { kAgent, kAdmin };

enum class Route {
  kToken,
  kWhoami,
  kAudit,
  kApproval,
  kHealth,  // answered by the window itself
  kReady,
  kMetrics,  // as kAdmin, answered with text
  kAdmin,    // handed to the broker with method and path
};

/// The route of a request. Path parameters are checked here: a credential's name is
/// [a-z0-9-]{1,64}, an id is 1 to 64 lower-case hex digits.
/// Refuses: not_found with the list of routes · method_not_allowed with the methods.
std::expected<Route, broker::Refusal> Match(Socket socket, std::string_view method,
                                            std::string_view path);

/// The value of an Allow header (RFC 9110 §10.2.1) for the path: "GET, PUT"; empty for no route.
std::string AllowedMethods(Socket socket, std::string_view path);

}  // namespace sidecar::window
