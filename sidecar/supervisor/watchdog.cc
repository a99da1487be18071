#include "sidecar/supervisor/watchdog.h"

#include <algorithm>

namespace sidecar::supervisor {

void Watchdog::Start(std::chrono::microseconds period) {
  constexpr int kTurnsPerPeriod = 4;
  interval_ = period / kTurnsPerPeriod;
  if (interval_ > interval_.zero()) Turn();
}

void Watchdog::Turn() {
  const bool alive = std::ranges::all_of(CoreRoles::kKinds, [this](RoleKind kind) {
    const RoleProcess* role = core_.Get(kind);
    return role != nullptr && role->answered;
  });
  if (alive) notifier_.Alive();
  for (const RoleKind kind : CoreRoles::kKinds) {
    RoleProcess* role = core_.Get(kind);
    if (role == nullptr || !role->answered) continue;
    role->answered = false;
    role->Tell(ipc::MessageType::kPing);
  }
  timer_ = loop_.After(interval_, [this] { Turn(); });
}

}  // namespace sidecar::supervisor
