#include "broker/policy/selectors.h"

#include <algorithm>
#include <set>

#include "broker/policy/entra_people.h"
#include "broker/policy/groups.h"
#include "broker/policy/scopes.h"

namespace broker::policy {
namespace {

using enum SelectorOutcome;

SelectorOutcome Judge(bool known, bool holds) {
  if (!known) return kFactMissing;
  return holds ? kHeld : kDiffers;
}

// 65534 is what every unmapped id looks like: as a fact it says nothing.
constexpr uint32_t kUnmappedId = 65534;

SelectorResult MatchUser(const Selectors& want, const Facts& facts) {
  return {"user", want.user, std::to_string(facts.uid),
          Judge(facts.uid != kUnmappedId, want.uid && facts.uid == *want.uid)};
}

std::string GroupsOf(const Facts& facts) {
  std::string found = std::to_string(facts.gid);
  for (const uint32_t gid : facts.groups) {
    if (gid != facts.gid) found += " " + std::to_string(gid);
  }
  return found;
}

SelectorResult MatchGroup(const Selectors& want, const Facts& facts) {
  const bool member = want.gid && *want.gid != kUnmappedId && IsIn(facts, *want.gid);
  return {"group", want.group, GroupsOf(facts), Judge(facts.uid != kUnmappedId, member)};
}

// "/kubepods/a" covers "/kubepods/a" and "/kubepods/a/b", never "/kubepods/ab".
bool IsAtOrBelow(const std::string& path, const std::string& top) {
  return path == top || path.starts_with(top.ends_with('/') ? top : top + "/");
}

SelectorResult MatchExe(const Selectors& want, const Facts& facts) {
  return {"exe", want.exe, facts.exe_path,
          Judge(facts.exe_matches.has_value(), facts.exe_matches.value_or(false))};
}

SelectorResult MatchText(std::string selector, const std::string& want, const std::string& found) {
  return {std::move(selector), want, found, Judge(!found.empty(), found == want)};
}

}  // namespace

bool SelectorMatch::held() const {
  return !results.empty() && std::ranges::all_of(results, [](const SelectorResult& result) {
    return result.outcome == kHeld;
  });
}

const SelectorResult* SelectorMatch::FirstFailed() const {
  const auto failed = std::ranges::find_if(
      results, [](const SelectorResult& result) { return result.outcome != kHeld; });
  return failed == results.end() ? nullptr : &*failed;
}

std::string SelectorMatch::FirstFault() const {
  const SelectorResult* failed = FirstFailed();
  if (failed == nullptr) return results.empty() ? "no selector" : "";
  return failed->selector +
         (failed->outcome == kDiffers ? " differs" : " could not be established");
}

bool OpenToSignIn(const Admin& admin) {
  const bool anybody = SignsPeopleIn(admin.operator_entra) || SignsPeopleIn(admin.approver_entra) ||
                       SignsPeopleIn(admin.auditor_entra);
  return !admin.client_id.empty() && anybody;
}

bool CouldBeAgent(const Config& config, const Facts& facts) {
  return std::ranges::any_of(config.agents, [&facts](const auto& named) {
    const Selectors& known = named.second.selectors;
    return (known.uid && *known.uid == facts.uid) || (known.gid && IsIn(facts, *known.gid));
  });
}

SelectorResult MatchAdmin(const Config& config, const Facts& facts) {
  SelectorResult result = MatchAdmin(config.admin, facts);
  if (facts.uid == 0 || facts.uid == config.admin.owner_uid) return result;
  if (CouldBeAgent(config, facts)) {
    result.outcome = kDiffers;
  } else if (OpenToSignIn(config.admin)) {
    result.outcome = kHeld;
  }
  return result;
}

SelectorResult MatchAdmin(const Admin& admin, const Facts& facts) {
  std::set<std::string> names;
  for (const auto* role : {&admin.operators, &admin.approvers, &admin.auditors}) {
    std::ranges::copy_if(*role, std::inserter(names, names.end()),
                         [](const std::string& name) { return name.starts_with("group:"); });
  }
  // Those two could join any group; what they may do without one, the broker decides by the same
  // list.
  const bool held = facts.uid == 0 || facts.uid == admin.owner_uid ||
                    IsInAny(facts, admin.operator_gids) || IsInAny(facts, admin.approver_gids) ||
                    IsInAny(facts, admin.auditor_gids);
  return {"group", JoinNames({names.begin(), names.end()}, " "), GroupsOf(facts),
          held ? kHeld : kDiffers};
}

std::string RecordedFact(std::string_view fact) {
  std::string text(fact.substr(0, kMaxRecordedFact));
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

SelectorMatch MatchSelectors(const Agent& agent, const Facts& facts) {
  const Selectors& want = agent.selectors;
  SelectorMatch match;
  if (want.uid || !want.user.empty()) match.results.push_back(MatchUser(want, facts));
  if (want.gid || !want.group.empty()) match.results.push_back(MatchGroup(want, facts));
  if (!want.cgroup.empty()) {
    match.results.push_back({"cgroup", want.cgroup, facts.cgroup,
                             Judge(!facts.cgroup.empty(), IsAtOrBelow(facts.cgroup, want.cgroup))});
  }
  if (!want.systemd_unit.empty()) {
    match.results.push_back(MatchText("systemd_unit", want.systemd_unit, facts.systemd_unit));
  }
  if (!want.exe.empty()) match.results.push_back(MatchExe(want, facts));
  if (!want.exe_sha256.empty()) {
    match.results.push_back(MatchText("exe_sha256", want.exe_sha256, facts.exe_sha256));
  }
  return match;
}

bool StillAdmits(const Config& before, const Config& now, const std::string& agent, Facts facts) {
  if (agent.empty()) return MatchAdmin(now, facts).outcome == kHeld;
  const auto next = now.agents.find(agent);
  if (next == now.agents.end()) return false;
  const auto last = before.agents.find(agent);
  const bool compared =
      last != before.agents.end() && last->second.selectors.exe == next->second.selectors.exe;
  if (!compared) facts.exe_matches.reset();
  return MatchSelectors(next->second, facts).held();
}

}  // namespace broker::policy
