#include "sidecar/cli/session.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <utility>

#include "sidecar/cli/config_command.h"
#include "sidecar/cli/watch.h"

namespace sidecar::cli {

std::string FromEnvironment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

std::string Session::SocketPath() const {
  if (!admin_socket.empty()) return admin_socket;
  const auto config = LoadForCommand(config_path);
  return (config ? config->paths.run : "/run/purser") + "/admin/sock";
}

void Session::AtDaemon(CLI::App* command, std::function<int(const Console&)> run) {
  command->callback(
      [this, run = std::move(run)] { chosen = [this, run] { return WithDaemon(run); }; });
}

int Session::WithDaemon(const std::function<int(const Console&)>& command) const {
  const AdminClient client(SocketPath());
  const int code = command({client, std::cout, std::cerr, json});
  if (code != kExitUnreachable || !admin_socket.empty() || json) return code;
  if (const auto config = LoadForCommand(config_path); !config) {
    std::cerr << "purser: tried the usual place, for the configuration does not say where: "
              << config.error().detail << '\n';
  }
  return code;
}

int Session::Looking(const std::function<int(const Console&)>& command) const {
  return WithDaemon(
      [&](const Console& console) { return watch ? Watch(console, command) : command(console); });
}

int Session::WithConfig(const std::function<int(const broker::policy::Config&)>& command) const {
  const auto config = LoadForCommand(config_path);
  return config ? command(*config) : Complain(output(), config.error().detail);
}

}  // namespace sidecar::cli
