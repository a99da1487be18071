// test/sidecar/broker/running_connections.h: Connections with the thread that serves them.
#pragma once
#include <string>
#include <thread>
#include <utility>

#include "sidecar/broker/connections.h"

class RunningConnections {
 public:
  explicit RunningConnections(sidecar::broker_role::Connections::Handler handler)
      : connections(std::move(handler)),
        thread_([this](const std::stop_token& stop) { connections.Run(stop); }) {}

  /// The window's end of a new pair.
  sidecar::ipc::Fd Add(const std::string& agent, sidecar::ipc::Fd pidfd = {}, bool admin = false) {
    auto [window, broker] = *sidecar::ipc::MakePair();
    connections.Add({.agent = agent, .admin = admin}, std::move(broker), std::move(pidfd));
    return std::move(window);
  }

  sidecar::broker_role::Connections connections;

 private:
  std::jthread thread_;
};

/// "closed" when there is no answer.
inline std::string AskOver(const sidecar::ipc::Fd& window, const std::string& question) {
  if (!sidecar::ipc::Send(window.get(), question)) return "closed";
  sidecar::ipc::Message answer;
  return sidecar::ipc::Receive(window.get(), &answer) ? answer.bytes : "closed";
}
