#include "sidecar/cli/run_command.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "sidecar/cli/explain_command.h"
#include "sidecar/cli/terminal.h"

namespace sidecar::cli {
namespace {

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
  setenv("PURSER_SOCKET", (config.paths.run + "/agents/" + agent + "/sock").c_str(), 1);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  return Complain(to, "cannot run " + command[0] + ": " + std::strerror(errno));
}

}  // namespace sidecar::cli
