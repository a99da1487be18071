#include <algorithm>

#include "broker/policy/explain.h"
#include "broker/policy/inert.h"
#include "broker/reason.h"

namespace broker::policy {
namespace {

using nlohmann::json;

constexpr const char* kNotRecorded = "not in the entry";

// The member of an object, or null: an entry under suspicion may have any shape.
const json& Member(const json& object, const char* name) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

std::string Text(const json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::optional<uint32_t> Number(const json& object, const char* name) {
  const json& value = Member(object, name);
  if (!value.is_number_integer()) return std::nullopt;
  const auto number = value.get<int64_t>();
  if (number < 0 || number > UINT32_MAX) return std::nullopt;
  return static_cast<uint32_t>(number);
}

std::vector<std::string> Texts(const json& list) {
  std::vector<std::string> texts;
  if (!list.is_array()) return texts;
  for (const json& one : list) texts.push_back(Text(one));
  return texts;
}

std::string Headline(const json& entry) {
  const json& seq = Member(entry, "seq");
  std::string text = "entry " + (seq.is_number_integer() ? seq.dump() : "without a number");
  const std::string time = Text(Member(entry, "time"));
  if (!time.empty()) text += ", " + Inert(time);
  text += ": " + Inert(Text(Member(entry, "type")));
  const std::string agent = Text(Member(Member(entry, "agent"), "name"));
  return agent.empty() ? text : text + " of agent " + Inert(agent);
}

void AddReason(const std::string& name, PastExplanation* past) {
  if (name.empty()) return;
  const auto known = std::ranges::find(AllReasons(), name, &ReasonInfo::name);
  if (known == AllReasons().end()) {
    past->notes.push_back("recorded reason: " + Inert(name) + ", which this version does not know");
    return;
  }
  past->notes.push_back("recorded reason: " + name + ". " + std::string(known->description));
  if (known->reason == Reason::kOverScoped) {
    past->notes.push_back(
        "Entra puts every consented scope into a token: use a registration that is consented to no "
        "more than this agent may have, or remove the surplus consent");
  }
  if (known->reason == Reason::kKilled) {
    past->notes.push_back(
        "what follows is the policy's word alone: `purser status` says who is still stopped, "
        "`purser release` lets them go on");
  }
}

void AddPolicy(const Config& config, const json& entry, PastExplanation* past) {
  const json& policy = Member(entry, "policy");
  const std::string sha256 = Text(Member(policy, "sha256"));
  const std::string rule = Text(Member(policy, "rule"));
  if (!rule.empty()) past->notes.push_back("recorded rule: " + Inert(rule));
  if (sha256.empty()) {
    past->notes.push_back("the entry names no policy; what follows is today's");
  } else if (sha256 == config.sha256) {
    past->notes.push_back("the policy is the same today");
  } else {
    past->notes.push_back("the policy has changed since: then " + Inert(sha256.substr(0, 16)) +
                          ", today \"" + config.sha256.substr(0, 16) +
                          "\"; what follows is today's");
  }
}

// The facts that an entry keeps. Supplementary groups, cgroup and program are not among them.
std::optional<Facts> RecordedFacts(const json& entry) {
  const json& caller = Member(entry, "caller");
  const auto uid = Number(caller, "uid");
  const auto gid = Number(caller, "gid");
  if (!uid || !gid) return std::nullopt;
  Facts facts;
  facts.uid = *uid;
  facts.gid = *gid;
  facts.exe_sha256 = Text(Member(caller, "exe_sha256"));
  facts.systemd_unit = Text(Member(caller, "unit"));
  return facts;
}

// What refused the connection, as it was recorded: change{fault,found,selector,wanted}.
SelectorResult RecordedFailure(const json& entry) {
  const json& change = Member(entry, "change");
  SelectorResult failed{.selector = Text(Member(change, "selector")),
                        .wanted = Text(Member(change, "wanted")),
                        .found = Text(Member(change, "found"))};
  if (Text(Member(change, "fault")) == failed.selector + " differs") {
    failed.outcome = SelectorOutcome::kDiffers;
  }
  return failed;
}

// The recorded facts against today's selectors; one that needs more than was kept says nothing.
SelectorMatch MatchRecorded(const Agent& agent, const Facts& facts, const SelectorResult& failed) {
  SelectorMatch match = MatchSelectors(agent, facts);
  for (SelectorResult& result : match.results) {
    const bool other_groups_unknown =
        result.selector == "group" && result.outcome == SelectorOutcome::kDiffers;
    if (!other_groups_unknown && result.outcome != SelectorOutcome::kFactMissing) continue;
    const bool same =
        result.selector == failed.selector && RecordedFact(result.wanted) == failed.wanted;
    result.outcome = same ? failed.outcome : SelectorOutcome::kFactMissing;
    result.found = same ? failed.found : kNotRecorded;
  }
  return match;
}

std::vector<std::string> ChangesFor(const SelectorMatch& match) {
  std::vector<std::string> changes;
  for (const SelectorResult& result : match.results) {
    const bool judged = result.found != kNotRecorded;
    if (result.outcome != SelectorOutcome::kHeld && judged)
      changes.push_back(SelectorAdvice(result));
  }
  if (changes.empty() && match.held()) {
    changes.emplace_back(
        "nothing in the configuration: today the same process would be the agent, "
        "as long as it stays what it was when it connected");
  }
  return changes;
}

Explanation ExplainConnection(const Config& config, const std::string& agent) {
  Explanation out{.agent = agent};
  out.reason = Describe(Reason::kPeerRefused).name;
  out.verdict = "refused before anything was read: the process was not the agent";
  if (config.agents.contains(agent)) return out;
  out.verdict = "there is no such agent today";
  out.changes.emplace_back("define [agent.NAME] in purser.toml or a file of agents.d");
  return out;
}

// The operator's socket has no agent: its one selector is membership of a group of [admin].
Explanation ExplainAdminConnection(const Admin& admin, const json& entry) {
  Explanation out;
  out.reason = Describe(Reason::kPeerRefused).name;
  out.verdict = "refused before anything was read: the process was in no group of [admin]";
  SelectorResult failed = RecordedFailure(entry);
  failed.selector = "group";
  failed.wanted = MatchAdmin(admin, {}).wanted;
  if (failed.found.empty()) failed.found = kNotRecorded;
  failed.outcome = SelectorOutcome::kDiffers;
  if (Text(Member(Member(entry, "change"), "fault")) == kIsAgents) {
    out.verdict = "refused before anything was read: what an agent is known by is no admin's";
    out.changes.emplace_back("take the user out of the agent's selectors, or the agent's group");
    out.selectors = SelectorMatch{{std::move(failed)}};
    return out;
  }
  out.changes.push_back(
      failed.wanted.empty()
          ? "list a group in [admin] operators or auditors: today only root and purserd's own user "
            "may connect"
          : "run it as a user of " + failed.wanted +
                " (a login sees a new group only when it is made anew), or list its group in "
                "[admin]");
  out.selectors = SelectorMatch{{std::move(failed)}};
  return out;
}

}  // namespace

PastExplanation ExplainEntry(const Config& config, const json& entry) {
  PastExplanation past{.headline = Headline(entry)};
  AddReason(Text(Member(entry, "reason")), &past);
  const std::string fault = Text(Member(Member(entry, "change"), "fault"));
  if (!fault.empty()) past.notes.push_back("recorded fault: " + Inert(fault));
  const json& count = Member(Member(entry, "change"), "count");
  if (count.is_number_integer()) past.notes.push_back("stands for " + count.dump() + " events");
  AddPolicy(config, entry, &past);

  const std::string agent = Text(Member(Member(entry, "agent"), "name"));
  const std::string type = Text(Member(entry, "type"));
  if (agent.empty()) {
    const bool counted_with_others = Text(Member(entry, "reason")) == "flood";
    if (type == "connection.refused" && !counted_with_others) {
      past.today = ExplainAdminConnection(config.admin, entry);
    }
    return past;
  }
  if (type == "token.issued" || type == "token.denied") {
    past.today = Explain(config, agent, Texts(Member(entry, "scopes")));
  } else if (type == "connection.refused") {
    past.today = ExplainConnection(config, agent);
  } else {
    return past;
  }
  const auto known = config.agents.find(agent);
  const auto facts = RecordedFacts(entry);
  if (known != config.agents.end() && facts) {
    past.today->selectors = MatchRecorded(known->second, *facts, RecordedFailure(entry));
    if (type == "connection.refused") past.today->changes = ChangesFor(*past.today->selectors);
  }
  return past;
}

}  // namespace broker::policy
