#include "sidecar/cli/stop_commands.h"

#include <array>
#include <ctime>
#include <ostream>
#include <vector>

#include "broker/base/inert_text.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/terminal.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

// A stop does not fail for the length of its reason.
std::string Shortened(const std::string& why) {
  size_t characters = 0;
  for (size_t at = 0; at < why.size(); ++at) {
    const bool begins_one = (static_cast<uint8_t>(why[at]) & 0xc0U) != 0x80;  // UTF-8
    if (begins_one && ++characters > broker::kMaxInertCharacters) return why.substr(0, at);
  }
  return why;
}

json BodyOf(const StopOrder& order) {
  json body = order.all ? json{{"all", true}} : json{{"agent", order.agent}};
  if (!order.why.empty()) body["why"] = Shortened(order.why);
  return body;
}

// "2026-11-20T12:15:30Z"
std::string UtcTime(int64_t unix_seconds) {
  const auto seconds = static_cast<std::time_t>(unix_seconds);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

// What no stop takes back, said plainly.
void PrintAlive(const Console& console, const json& body) {
  const json alive = body.value("alive", json::array());
  const std::string since = UtcTime(body.value("alive_since", int64_t{0}));
  if (alive.empty()) {
    console.out << "No token that was released since " << since << " is still valid.\n";
  } else {
    console.out << Yellow("alive")
                << "     these tokens are outside, and work until they expire:\n";
    std::vector<std::vector<std::string>> rows;
    for (const json& token : alive) {
      rows.push_back({Text(token["agent"]), Text(token["credential"]),
                      token.contains("user") ? Text(token["user"]) : "(application)",
                      UtcTime(token.value("expires_on", int64_t{0})), Text(token["seq"]),
                      JoinTexts(token["scopes"])});
    }
    PrintTable(console.out, {"AGENT", "CREDENTIAL", "USER", "EXPIRES", "SEQ", "SCOPES"}, rows);
    if (const auto more = body.value("alive_more", uint64_t{0}); more > 0) {
      console.out << "and at most " << more << " more\n";
    }
    console.out
        << "Entra can end what stands behind them: revoke the user's sessions, disable the user or "
           "the\napplication. Graph heeds that before they expire only where continuous access "
           "evaluation applies.\n";
  }
  console.out << "What was released before " << since
              << " is in the ledger: purser audit search --type token.issued\n";
}

}  // namespace

int RunKill(const Console& console, const StopOrder& order) {
  const auto answer = console.client.Call("POST", "/v1/kill", BodyOf(order));
  if (const int code = Judge(console, answer)) {
    if (code == kExitUnreachable && !console.json) {
      console.err << "purser: without the daemon: touch the file \"stop\" in the state folder "
                     "(/var/lib/purser/stop), or: pkill -USR1 -x purserd\n";
    }
    return code;
  }
  const json& body = answer->body;
  const bool recorded = body.value("recorded", false);
  if (console.json) {
    console.out << body.dump(2) << '\n';
    return recorded ? kExitDone : kExitRefused;
  }
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
  return recorded ? kExitDone : kExitRefused;
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
                << Text(answer->body["expires_in"]) << " s: purser release "
                << (order.all ? "--all" : order.agent) << " --why TEXT\n";
    return kExitRefused;
  }
  console.out << Green("released") << "  " << (order.all ? "all agents" : order.agent) << ", entry "
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
    command->callback([&session, &order, run] {
      session.chosen = [&session, &order, run] {
        return session.WithDaemon([&](const Console& console) { return run(console, order); });
      };
    });
    return command->add_option("--why", order.why, "For the ledger; cut after 200 characters");
  };
  add("kill", "Stop an agent, or all: nothing is issued to it from now on",
      "Examples: purser kill helpdesk --why \"mails a stranger\"\n"
      "          purser kill --all\n"
      "Lists the tokens that are still alive outside. A restart changes nothing; purser release "
      "does.",
      RunKill);
  add("release", "Let an agent, or all, go on after a kill",
      "Examples: purser release helpdesk --why \"prompt mended\"\n"
      "          purser release --all --why \"false alarm\"\n"
      "Releasing all leaves those stopped that were stopped by name. With [admin]\n"
      "two_person_release the first one proposes it (exit code 1), another one confirms it.",
      RunRelease)
      ->required();
}

}  // namespace sidecar::cli
