#include <sys/un.h>

#include <algorithm>
#include <iterator>

#include "broker/policy/config_checks.h"
#include "broker/policy/config_values.h"

namespace broker::policy {
namespace {

// A Unix socket's path and its final NUL must fit the kernel's address.
constexpr size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;

constexpr const char* kUnmapped =
    "every unmapped user and group looks like this id: give the agent an account of its own";

bool Contains(const std::vector<uint32_t>& ids, uint32_t id) {
  return std::ranges::find(ids, id) != ids.end();
}

// Which list of [admin] holds one of `gids`; empty when none does.
std::string AdminRoleOf(const Admin& admin, const std::vector<uint32_t>& gids) {
  for (const uint32_t gid : gids) {
    if (Contains(admin.operator_gids, gid)) return "operators";
    if (Contains(admin.approver_gids, gid)) return "approvers";
    if (Contains(admin.auditor_gids, gid)) return "auditors";
  }
  return {};
}

class AgentCheck {
 public:
  AgentCheck(const ParseInput& input, Draft* draft, Agent* agent)
      : input_(input), draft_(draft), agent_(agent), path_("agent." + agent->name) {}

  void Run() {
    const bool user = draft_->IsWritten(path_ + ".user");
    const bool group = draft_->IsWritten(path_ + ".group");
    if (!user && !group) {
      draft_->Fault(agent_->place, "agent \"" + agent_->name +
                                       "\" has no selector that the kernel vouches for: write "
                                       "user = \"…\" or group = \"…\"");
    }
    if (!agent_->selectors.user.empty()) CheckUser();
    if (!agent_->selectors.group.empty()) CheckGroup();
    const std::string socket = AgentSocketPath(draft_->config, agent_->name);
    if (socket.size() > kMaxSocketPath) {
      draft_->Fault(agent_->place, "its socket's path would have " + std::to_string(socket.size()) +
                                       " bytes, and " + std::to_string(kMaxSocketPath) +
                                       " are possible: shorten the agent's name or [paths] run");
    }
  }

 private:
  void CheckUser() {
    const Place place = draft_->PlaceOf(path_ + ".user");
    const std::string& name = agent_->selectors.user;
    const auto number = ParseId(name);
    const auto uid = number ? number : input_.accounts.UserId(name);
    if (!uid) {
      return draft_->Fault(place, "this machine has no user \"" + name +
                                      "\": create it, or write another name or a number");
    }
    if (IsNobody(*uid)) return draft_->Fault(place, kUnmapped);
    agent_->selectors.uid = uid;
    if (Contains(input_.own_uids, *uid) && !draft_->config.hardening.allow_same_uid) {
      draft_->Fault(place,
                    "purser itself runs as this user, who could read its memory: give the "
                    "agent a user of its own (or, to try things out, write allow_same_uid = "
                    "true in [hardening])");
    }
    const std::string role = AdminRoleOf(draft_->config.admin, input_.accounts.GroupsOf(*uid));
    if (!role.empty()) {
      draft_->Fault(place, "this user is in a group of [admin] " + role +
                               ", and no agent may be: take the user out of that group");
    }
  }

  void CheckGroup() {
    const Place place = draft_->PlaceOf(path_ + ".group");
    const std::string& name = agent_->selectors.group;
    const auto number = ParseId(name);
    const auto gid = number ? number : input_.accounts.GroupId(name);
    if (!gid) {
      return draft_->Fault(place, "this machine has no group \"" + name +
                                      "\": create it, or write another name or a number");
    }
    if (IsNobody(*gid)) return draft_->Fault(place, kUnmapped);
    agent_->selectors.gid = gid;
    const std::string role = AdminRoleOf(draft_->config.admin, {*gid});
    if (!role.empty()) {
      draft_->Fault(place, "this group is one of [admin] " + role +
                               ", and no agent may be in one: give the agent a group of its own");
    }
  }

  const ParseInput& input_;
  Draft* draft_;
  Agent* agent_;
  std::string path_;
};

}  // namespace

void CheckAgents(const ParseInput& input, Draft* draft) {
  if (AdminSocketPath(draft->config).size() > kMaxSocketPath) {
    draft->Fault(draft->PlaceOf("paths.run"), "sockets below it would have paths of more than " +
                                                  std::to_string(kMaxSocketPath) +
                                                  " bytes: write a shorter one");
  }
  for (auto& [name, agent] : draft->config.agents) AgentCheck(input, draft, &agent).Run();
}

}  // namespace broker::policy
