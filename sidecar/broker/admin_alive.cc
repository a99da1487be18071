#include "sidecar/broker/admin_alive.h"

#include <utility>

namespace sidecar::broker_role {

using nlohmann::json;

namespace {

// What a person reads, the longest-lived first; an answer has a bound, too.
constexpr size_t kMaxShown = 200;

}  // namespace

void AddAlive(const broker::Outstanding::List& list, json* body) {
  json alive = json::array();
  for (const broker::LiveToken& token : list.tokens) {
    if (alive.size() == kMaxShown) break;
    json shown = {{"agent", token.agent},         {"credential", token.credential},
                  {"resource", token.resource},   {"scopes", token.scopes},
                  {"expires_on", token.exp_unix}, {"seq", token.seq}};
    if (!token.user_oid.empty()) shown["user"] = token.user_oid;
    if (token.earlier) shown["earlier"] = true;
    alive.push_back(std::move(shown));
  }
  (*body)["alive_more"] = list.forgotten + list.tokens.size() - alive.size();
  (*body)["alive"] = std::move(alive);
  if (!list.earlier_unknown.empty()) (*body)["alive_unknown"] = list.earlier_unknown;
  const auto since = list.since.time_since_epoch();
  (*body)["alive_since"] = std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

}  // namespace sidecar::broker_role
