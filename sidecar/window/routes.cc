#include "sidecar/window/routes.h"

#include <algorithm>
#include <array>
#include <span>

namespace sidecar::window {
namespace {

using broker::Reason, broker::Refuse;

struct Row {
  std::string_view method;
  std::string_view path;  // {name} and {id} stand for one segment
  Route route;
};

// clang-format off
constexpr auto kAgentRoutes = std::to_array<Row>({
    {"POST", "/v1/token",  Route::kToken},
    {"GET",  "/v1/whoami", Route::kWhoami},
    {"GET",  "/v1/audit",  Route::kAudit},
    {"GET",  "/v1/approvals/{id}", Route::kApproval},
    {"GET",  "/healthz",   Route::kHealth},
    {"GET",  "/readyz",    Route::kReady},
});
constexpr auto kAdminRoutes = std::to_array<Row>({
    {"GET",  "/healthz",                                Route::kHealth},
    {"GET",  "/readyz",                                 Route::kReady},
    {"GET",  "/metrics",                                Route::kMetrics},
    {"GET",  "/v1/status",                              Route::kAdmin},
    {"GET",  "/v1/agents",                              Route::kAdmin},
    {"GET",  "/v1/agents/{name}/budget",                Route::kAdmin},
    {"POST", "/v1/agents/{name}/budget",                Route::kAdmin},
    {"GET",  "/v1/credentials",                         Route::kAdmin},
    {"PUT",  "/v1/credentials/{name}/secret",           Route::kAdmin},
    {"POST", "/v1/credentials/{name}/login",            Route::kAdmin},
    {"POST", "/v1/credentials/{name}/login/browser",    Route::kAdmin},
    {"POST", "/v1/credentials/{name}/login/redirect",   Route::kAdmin},
    {"GET",  "/v1/logins/{id}",                         Route::kAdmin},
    {"POST", "/v1/sign-ins",                            Route::kAdmin},
    {"POST", "/v1/sign-ins/{id}",                       Route::kAdmin},
    {"POST", "/v1/sign-out",                            Route::kAdmin},
    {"POST", "/v1/sign-out/others",                     Route::kAdmin},
    {"GET",  "/v1/roles",                               Route::kAdmin},
    {"POST", "/v1/roles",                               Route::kAdmin},
    {"POST", "/v1/roles/end",                           Route::kAdmin},
    {"GET",  "/v1/seal-key",                            Route::kAdmin},
    {"POST", "/v1/unseal",                              Route::kAdmin},
    {"POST", "/v1/credentials/{name}/rotate",           Route::kAdmin},
    {"GET",  "/v1/credentials/{name}/rotation",         Route::kAdmin},
    {"POST", "/v1/seal/rotate",                         Route::kAdmin},
    {"POST", "/v1/reload",                              Route::kAdmin},
    {"POST", "/v1/ledger/resume",                       Route::kAdmin},
    {"POST", "/v1/ledger/archive",                      Route::kAdmin},
    {"POST", "/v1/restore",                             Route::kAdmin},
    {"POST", "/v1/kill",                                Route::kAdmin},
    {"POST", "/v1/revoke",                              Route::kAdmin},
    {"GET",  "/v1/teardown",                            Route::kAdmin},
    {"POST", "/v1/teardown",                            Route::kAdmin},
    {"GET",  "/v1/approvals",                           Route::kAdmin},
    {"POST", "/v1/approvals/{id}/approve",              Route::kAdmin},
    {"POST", "/v1/approvals/{id}/deny",                 Route::kAdmin},
    {"POST", "/v1/release",                             Route::kAdmin},
    {"POST", "/v1/upstream",                            Route::kAdmin},
    {"POST", "/v1/doctor/credentials/{name}",           Route::kAdmin},
    {"POST", "/v1/doctor/hosts",                        Route::kAdmin},
});
// clang-format on

std::span<const Row> RoutesOf(Socket socket) {
  switch (socket) {
    case Socket::kAgent:
      return kAgentRoutes;
    case Socket::kAdmin:
      return kAdminRoutes;
  }
  return {};
}

bool MatchesSegment(std::string_view pattern, std::string_view segment) {
  constexpr size_t kLongest = 64;  // as the configuration limits names
  if (!pattern.starts_with('{')) return pattern == segment;
  const bool name = pattern == "{name}";
  return !segment.empty() && segment.size() <= kLongest &&
         std::ranges::all_of(segment, [name](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= (name ? 'z' : 'f')) ||
                  (name && c == '-');
         });
}

bool Matches(std::string_view pattern, std::string_view path) {
  while (!pattern.empty() && !path.empty()) {
    const size_t in_pattern = std::min(pattern.find('/', 1), pattern.size());
    const size_t in_path = std::min(path.find('/', 1), path.size());
    const std::string_view want = pattern.substr(0, in_pattern);
    const std::string_view got = path.substr(0, in_path);
    if (!MatchesSegment(want.substr(1), got.substr(1))) return false;
    pattern.remove_prefix(in_pattern);
    path.remove_prefix(in_path);
  }
  return pattern.empty() && path.empty();
}

}  // namespace

std::string AllowedMethods(Socket socket, std::string_view path) {
  std::string methods;
  for (const Row& row : RoutesOf(socket)) {
    if (!Matches(row.path, path)) continue;
    if (!methods.empty()) methods += ", ";
    methods += row.method;
  }
  return methods;
}

std::expected<Route, broker::Refusal> Match(Socket socket, std::string_view method,
                                            std::string_view path) {
  for (const Row& row : RoutesOf(socket)) {
    if (row.method == method && Matches(row.path, path)) return row.route;
  }
  if (const std::string methods = AllowedMethods(socket, path); !methods.empty()) {
    return Refuse(Reason::kMethodNotAllowed, "Send " + methods + ".");
  }
  std::string hint = "Routes:";
  for (const Row& row : RoutesOf(socket)) {
    hint.append(hint.ends_with(':') ? " " : ", ").append(row.method).append(" ").append(row.path);
  }
  return Refuse(Reason::kNotFound, hint + ".");
}

}  // namespace sidecar::window
