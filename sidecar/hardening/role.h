// sidecar/hardening/role.h
#pragma once
#include <string_view>

namespace sidecar::hardening {

enum class Role { kSupervisor, kWindow, kBroker, kLedger, kDialer };

/// "supervisor", "window", …: as in findings and the log.
constexpr std::string_view NameOf(Role role) {
  switch (role) {
    case Role::kSupervisor:
      return "supervisor";
    case Role::kWindow:
      return "window";
    case Role::kBroker:
      return "broker";
    case Role::kLedger:
      return "ledger";
    case Role::kDialer:
      return "dialer";
  }
  return "unknown";
}

}  // namespace sidecar::hardening
