#include "sidecar/cli/registrations.h"

#include <nlohmann/json.hpp>
#include <ostream>

#include "broker/policy/registration_commands.h"
#include "broker/policy/registrations.h"

namespace sidecar::cli {

int PrintRegistrations(const broker::policy::Config& config, const Output& to) {
  const std::string commands = broker::policy::RegistrationCommands(config);
  if (!to.json) {
    to.out << commands;
    return kExitDone;
  }
  auto list = nlohmann::ordered_json::array();
  for (const auto& one : broker::policy::DeriveRegistrations(config)) {
    list.push_back({{"credential", one.credential},
                    {"kind", one.written->kind},
                    {"delegated", broker::policy::IsDelegated(*one.written)},
                    {"agents", one.agents},
                    {"scopes", one.scopes}});
  }
  to.out << nlohmann::ordered_json{{"registrations", std::move(list)}, {"commands", commands}}.dump(
                2)
         << '\n';
  return kExitDone;
}

}  // namespace sidecar::cli
