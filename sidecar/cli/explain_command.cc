#include "sidecar/cli/explain_command.h"

#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <ostream>
#include <sstream>

#include "broker/policy/config_messages.h"
#include "broker/policy/explain.h"
#include "broker/policy/inert.h"
#include "broker/policy/nearest.h"
#include "sidecar/cli/complaint.h"

namespace sidecar::cli {
namespace {

using broker::policy::Inert;
using nlohmann::json;
using nlohmann::ordered_json;

// Arguments need not be UTF-8.
void Print(const ordered_json& document, std::ostream& out) {
  out << document.dump(2, ' ', true, ordered_json::error_handler_t::replace) << '\n';
}

// The text at /outer/inner, or at /outer; empty for everything else.
std::string TextAt(const json& entry, const json::json_pointer& pointer) {
  if (!entry.is_object() || !entry.contains(pointer)) return {};
  const json& value = entry.at(pointer);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::string AgentOf(const json& entry) { return TextAt(entry, json::json_pointer("/agent/name")); }

// "purser-quickstart (992)"; the number alone where this machine has no name for it.
std::string Named(const std::string& selector, const std::string& number) {
  uint32_t id = 0;
  const auto read = std::from_chars(number.data(), number.data() + number.size(), id);
  if (read.ec != std::errc() || read.ptr != number.data() + number.size()) return number;
  const passwd* user = selector == "user" ? getpwuid(id) : nullptr;
  const group* members = selector == "group" ? getgrgid(id) : nullptr;
  const char* name = user != nullptr ? user->pw_name : nullptr;
  if (members != nullptr) name = members->gr_name;
  return name == nullptr ? number : std::string(name) + " (" + number + ")";
}

// Puts names beside the ids that were found; only this machine knows them.
void NameIds(broker::policy::PastExplanation* past) {
  if (!past->today || !past->today->selectors) return;
  for (auto& result : past->today->selectors->results) {
    std::istringstream numbers(result.found);
    std::string named, number;
    while (numbers >> number) named += (named.empty() ? "" : " ") + Named(result.selector, number);
    if (result.selector == "user" || result.selector == "group") result.found = named;
  }
}

broker::policy::PastExplanation ExplainHere(const broker::policy::Config& config,
                                            const json& entry) {
  auto explanation = broker::policy::ExplainEntry(config, entry);
  NameIds(&explanation);
  return explanation;
}

}  // namespace

std::string NoSuchAgent(const broker::policy::Config& config, const std::string& agent) {
  std::string known = config.agents.empty() ? "add one" : "add it; configured:";
  for (const auto& [name, one] : config.agents) known += " " + name;
  return broker::policy::NoSuchMessage("agent", agent, broker::policy::NamesOf(config.agents),
                                       known);
}

int ExplainScopes(const ExplainOptions& options, const std::vector<std::string>& scopes,
                  std::ostream& out, std::ostream& err) {
  if (!options.config.agents.contains(options.agent)) {
    return Complain({out, err, options.json}, NoSuchAgent(options.config, options.agent));
  }
  const auto explanation = broker::policy::Explain(options.config, options.agent, scopes);
  if (options.json) {
    ordered_json document = AsJson(explanation);
    if (options.stopped) document["stopped"] = true;
    Print(document, out);
  } else {
    if (options.stopped) {
      out << "STOPPED: everything is refused (killed) until it is let go on: purser release "
          << options.agent << ", or --all\nWithout the stop:\n";
    }
    out << AsText(explanation);
  }
  return kExitDone;
}

int ExplainPast(const ExplainOptions& options, const json& entry, std::ostream& out,
                std::ostream& err) {
  if (const std::string agent = AgentOf(entry); agent != options.agent) {
    return Complain(
        {out, err, options.json},
        "that entry is " + (agent.empty() ? "of no agent" : "of agent " + Inert(agent)));
  }
  const auto explanation = ExplainHere(options.config, entry);
  if (options.json) {
    Print(AsJson(explanation), out);
  } else {
    out << AsText(explanation);
  }
  return kExitDone;
}

int ExplainRefused(const ExplainOptions& options, const std::vector<json>& entries,
                   std::ostream& out, std::ostream& err) {
  ordered_json list = ordered_json::array();
  std::string text;
  for (const json& entry : entries) {
    const bool refused = TextAt(entry, json::json_pointer("/type")) == "connection.refused";
    if (!refused || AgentOf(entry) != options.agent) continue;
    const auto explanation = ExplainHere(options.config, entry);
    list.push_back(AsJson(explanation));
    text += (text.empty() ? "" : "\n") + AsText(explanation);
  }
  if (options.json) {
    Print(list, out);
  } else if (text.empty()) {
    const std::string whose = options.agent.empty() ? "the operator's socket"
                                                    : "the socket of agent " + Inert(options.agent);
    return Complain({out, err}, "no refused connection to " + whose + " is recorded");
  } else {
    out << text;
  }
  return list.empty() ? kExitRefused : kExitDone;
}

}  // namespace sidecar::cli
