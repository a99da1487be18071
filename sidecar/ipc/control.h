// sidecar/ipc/control.h: where a role finds its supervisor.
#pragma once

namespace sidecar::ipc {

/// The descriptor of the control channel, in every role (IPC.md, "What a role finds when it
/// starts").
inline constexpr int kControlFd = 3;

}  // namespace sidecar::ipc
