#include "sidecar/cli/run_command.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "sidecar/cli/explain_command.h"
#include "sidecar/cli/terminal.h"

namespace sidecar::cli {
namespace {

// What lets whoever has it be somebody in Entra without purser. The caller's environment is the
// agent's otherwise; ids of tenants and applications open nothing.
// clang-format off
constexpr std::array kOfOtherIdentities{
    "IDENTITY_ENDPOINT",                  // App Service, Container Apps, Azure Arc: the machine's identity
    "IDENTITY_HEADER",                    // App Service, Container Apps: opens that endpoint
    "IDENTITY_SERVER_THUMBPRINT",         // Service Fabric: the same
    "IMDS_ENDPOINT",                      // Azure Arc: the same
    "MSI_ENDPOINT",                       // App Service of old, Cloud Shell, Azure ML: the same
    "MSI_SECRET",                         // App Service of old: opens it
    "AZURE_CLIENT_SECRET",                // EnvironmentCredential of the SDKs: an application's secret
    "AZURE_CLIENT_CERTIFICATE_PATH",      // an application's private key
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",  // and its password
    "AZURE_USERNAME",                     // a user, who may have no second factor
    "AZURE_PASSWORD",                     // and the user's password
    "AZURE_FEDERATED_TOKEN_FILE",         // workload identity: the pod's token
    "ARM_CLIENT_SECRET",                  // Terraform: an application's secret
    "ARM_CLIENT_CERTIFICATE_PASSWORD",    // Terraform: a private key's password
    "ARM_OIDC_TOKEN",                     // Terraform: a token that proves an application
    "CREDENTIALS_DIRECTORY",              // systemd: where the caller's unit has its secrets
};
// clang-format on

// An agent known by its group only runs as whoever starts it; the group must be theirs.
bool BecomeUser(const passwd& user) {
  return initgroups(user.pw_name, user.pw_gid) == 0 &&
         setresgid(user.pw_gid, user.pw_gid, user.pw_gid) == 0 &&
         setresuid(user.pw_uid, user.pw_uid, user.pw_uid) == 0;
}

}  // namespace

int RunAs(const broker::policy::Config& config, const std::string& agent,
          const std::vector<std::string>& command, const Output& to) {
  const auto found = config.agents.find(agent);
  if (found == config.agents.end()) return Complain(to, NoSuchAgent(config, agent));
  if (command.front().starts_with('-')) {
    return Complain(to,
                    "options of purser stand before the agent's name: after it a command follows",
                    kExitUsage);
  }
  const auto& selectors = found->second.selectors;
  if (selectors.uid && *selectors.uid != geteuid()) {
    const passwd* user = getpwuid(*selectors.uid);
    if (geteuid() != 0) {
      return Complain(
          to, agent + " runs as " + selectors.user + "; start this as root or as that user");
    }
    if (user == nullptr) return Complain(to, "no user has the number " + selectors.user);
    if (!BecomeUser(*user)) {
      return Complain(to, "cannot become " + selectors.user + ": " + std::strerror(errno));
    }
    setenv("HOME", user->pw_dir, 1);
    setenv("USER", user->pw_name, 1);
    setenv("LOGNAME", user->pw_name, 1);
  }
  for (const char* name : kOfOtherIdentities) unsetenv(name);
  setenv("PURSER_SOCKET", (config.paths.run + "/agents/" + agent + "/sock").c_str(), 1);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  return Complain(to, "cannot run " + command[0] + ": " + std::strerror(errno));
}

}  // namespace sidecar::cli
