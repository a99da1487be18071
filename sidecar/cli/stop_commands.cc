#include "sidecar/cli/stop_commands.h"

#include <chrono>
#include <ostream>
#include <string_view>

#include "broker/base/inert_text.h"
#include "broker/policy/config_values.h"
#include "sidecar/cli/alive_text.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/terminal.h"
#include "sidecar/cli/upstream_text.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

json Whom(const StopOrder& order) {
  return order.all                  ? json{{"all", true}}
         : order.credential.empty() ? json{{"agent", order.agent}}
                                    : json{{"credential", order.credential}};
}

json BodyOf(const StopOrder& order) {
  json body = Whom(order);
  if (!order.why.empty()) body["why"] = ShortenedReason(order.why);
  return body;
}

void PrintStopped(const Console& console, const StopOrder& order, const json& body) {
  const bool recorded = body.value("recorded", false);
  console.out << Red("stopped") << "   " << (order.all ? "all agents" : order.agent);
  if (recorded) console.out << ", entry " << Text(body["seq"]);
  console.out << ". To let " << (order.all ? "them" : "it") << " go on: purser release "
              << (order.all ? "--all" : order.agent) << " --why TEXT\n";
  if (!recorded) {
    console.out << Red("not recorded") << ": " << Text(body["why_not_recorded"])
                << ". It holds until purser-broker restarts; nothing is issued while the ledger "
                   "cannot write. Repeat it when it can\n";
  }
  PrintAlive(console, body);
}

}  // namespace

std::string ShortenedReason(const std::string& why) {
  size_t characters = 0;
  for (size_t at = 0; at < why.size(); ++at) {
    const bool begins_one = (static_cast<uint8_t>(why[at]) & 0xc0U) != 0x80;  // UTF-8
    if (begins_one && ++characters > broker::kMaxInertCharacters) return why.substr(0, at);
  }
  return why;
}

int RunKill(const Console& console, const StopOrder& order) {
  const auto answer = console.client.Call("POST", "/v1/kill", BodyOf(order));
  if (const int code = Judge(console, answer)) {
    if (code == kExitUnreachable && !console.json) {
      console.err << "purser: without the daemon: touch the file \"stop\" in the state folder "
                     "(/var/lib/purser/stop), or: pkill -USR1 -x purserd\n";
    }
    return code;
  }
  json body = answer->body;
  const bool recorded = body.value("recorded", false);
  if (!console.json) PrintStopped(console, order, body);
  const int asked = order.upstream ? RunUpstream(console, Whom(order), &body) : int{kExitDone};
  if (console.json) console.out << body.dump(2) << '\n';
  return recorded ? asked : int{kExitRefused};
}

int RunRelease(const Console& console, const StopOrder& order) {
  const auto answer = console.client.Call("POST", "/v1/release", BodyOf(order));
  if (const int code = Judge(console, answer)) return code;
  const bool proposed = answer->body.value("proposed", false);
  if (console.json) {
    console.out << answer->body.dump(2) << '\n';
    return proposed ? kExitRefused : kExitDone;
  }
  if (proposed) {
    console.out << Yellow("proposed") << "  not released yet: another operator confirms it within "
                << broker::policy::Format(
                       std::chrono::seconds(answer->body.value("expires_in", int64_t{0})))
                << ": purser release "
                << (order.all                  ? "--all"
                    : order.credential.empty() ? order.agent
                                               : "--credential " + order.credential)
                << " --why TEXT\n";
    return kExitRefused;
  }
  const std::string& one = order.credential.empty() ? order.agent : order.credential;
  console.out << Green("released") << "  " << (order.all ? "all agents" : one) << ", entry "
              << Text(answer->body["seq"]) << '\n';
  const json left = answer->body.value("still_stopped", json::object());
  if (left.value("all", false)) {
    console.out << Yellow("stopped")
                << "   all agents still are: purser release --all --why TEXT\n";
  }
  for (const json& agent : left.value("agents", json::array())) {
    console.out << Yellow("stopped") << "   " << Text(agent) << " still is: purser release "
                << Text(agent) << " --why TEXT\n";
  }
  return kExitDone;
}

void AddStops(CLI::App& app, Session& session, StopOrder& order) {
  const auto add = [&](const char* name, const char* about, const char* footer, auto run) {
    auto* command = app.add_subcommand(name, about)->footer(footer);
    auto* whom = command->add_option_group("whom")->require_option(1);
    whom->add_option("agent", order.agent, "Name in purser.toml");
    whom->add_flag("--all", order.all, "Every agent");
    if (std::string_view(name) == "release") {
      whom->add_option("--credential", order.credential, "A credential that was revoked");
    } else {
      command->add_flag("--upstream", order.upstream, "Disable their identities at Entra, too");
    }
    session.AtDaemon(command, [&order, run](const Console& c) { return run(c, order); });
    return command->add_option("--why", order.why, "For the ledger; cut after 200 characters");
  };
  add("kill", "Stop an agent, or all: nothing is issued to it from now on",
      "Examples: purser kill helpdesk --why \"mails a stranger\"\n"
      "          purser kill --all --upstream\n"
      "--upstream, once all is stopped here, disables at Entra what the agents act as: service "
      "principals, agent identities, users' sessions; with the credential that [admin] upstream "
      "names. What another agent uses, too, is left.\n"
      "Lists the tokens that are still alive outside. A restart changes nothing; purser release "
      "does.",
      RunKill);
  add("release", "Let an agent, or all, go on after a kill; use a revoked credential again",
      "Examples: purser release helpdesk --why \"prompt mended\"\n"
      "          purser release --all --why \"false alarm\"\n"
      "          purser release --credential vm --why \"machine cleaned\"\n"
      "Releasing all leaves those stopped that were stopped by name, and credentials revoked. With "
      "[admin]\ntwo_person_release the first one proposes it (exit code 1), another one confirms "
      "it.",
      RunRelease)
      ->required();
}

}  // namespace sidecar::cli
