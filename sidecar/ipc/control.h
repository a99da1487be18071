// sidecar/ipc/control.h: where a role finds its supervisor.
#pragma once
#include <string_view>

namespace sidecar::ipc {

/// The descriptor of the control channel, in every role (IPC.md, "What a role finds when it
/// starts").
inline constexpr int kControlFd = 3;

/// In the state folder: while a file of this name is there, all agents are stopped.
inline constexpr std::string_view kStopFile = "stop";

/// In the state folder: how far a teardown has come. While it is there, nothing starts.
inline constexpr std::string_view kTornDown = "teardown.json";

}  // namespace sidecar::ipc
