// sidecar/cli/session.h: the options of every command, and what they lead to.
#pragma once
#include <functional>
#include <iostream>
#include <string>

#include "broker/policy/config.h"
#include "sidecar/cli/daemon_commands.h"

namespace CLI {
class App;
}

namespace sidecar::cli {

// The environment names places only.
std::string FromEnvironment(const char* name, const char* otherwise);

/// One command line.
struct Session {
  std::string config_path = FromEnvironment("PURSER_CONFIG", "/etc/purser/purser.toml");
  std::string admin_socket = FromEnvironment("PURSER_ADMIN_SOCKET", "");
  bool json = false;
  bool dry_run = false;
  bool registrations = false;
  bool watch = false;
  std::string out;
  std::function<int()> chosen;  // set by the command that was typed

  [[nodiscard]] Output output() const { return {std::cout, std::cerr, json}; }
  /// Of the operator's socket: as given, else as the configuration places it, else the usual one.
  [[nodiscard]] std::string SocketPath() const;
  /// Where `command` is what was typed, `run` is what it leads to, with the daemon to ask. All
  /// three outlive the parsing.
  void AtDaemon(CLI::App* command, std::function<int(const Console&)> run);
  [[nodiscard]] int WithDaemon(const std::function<int(const Console&)>& command) const;
  /// The same for a command that only looks: with --watch again and again.
  [[nodiscard]] int Looking(const std::function<int(const Console&)>& command) const;
  [[nodiscard]] int WithConfig(
      const std::function<int(const broker::policy::Config&)>& command) const;
};

}  // namespace sidecar::cli
