#include "sidecar/cli/daemon_commands.h"

#include <ostream>
#include <vector>

#include "broker/base/seal_box.h"
#include "sidecar/cli/credential_lines.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/rotate_command.h"
#include "sidecar/cli/terminal.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

// The answer as it came with --json; true when that was all.
bool PrintedAsJson(const Console& console, const json& body) {
  if (console.json) console.out << body.dump(2) << '\n';
  return console.json;
}

void PrintProblems(const Console& console, const json& body) {
  for (const json& line : body.value("missing", json::array())) {
    console.out << Red("missing   ") << Text(line) << '\n';
  }
  for (const json& line : body.value("degraded", json::array())) {
    console.out << Yellow("degraded  ") << Text(line) << '\n';
  }
}

void PrintStops(const Console& console, const json& stopped) {
  if (stopped.value("file", false)) {
    console.out << Red("stopped   ")
                << "all agents, by the file \"stop\" in the state folder; to let them go on remove "
                   "it, then: purser release --all --why TEXT\n";
  }
  if (stopped.value("all", false)) {
    console.out << Red("stopped   ")
                << "all agents; to let them go on: purser release --all --why TEXT\n";
  }
  for (const json& agent : stopped.value("agents", json::array())) {
    console.out << Red("stopped   ") << Text(agent) << "; to let it go on: purser release "
                << Text(agent) << " --why TEXT\n";
  }
}

// Only what is weaker than it should be.
void PrintSeparation(const Console& console, const json& body) {
  if (body.value("hardening", "") == "weak") {
    console.out << Yellow("hardening weak: roles may reach more than their part; see purser doctor")
                << '\n';
  }
  if (body.value("allow_same_uid", false)) {
    console.out << Yellow("hardening allow_same_uid: an agent may read purser's memory and files")
                << '\n';
  }
  const json findings =
      body["processes"].value(json::json_pointer("/hardening/findings"), json::array());
  for (const json& finding : findings) {
    console.out << Yellow("finding   ") << Field(finding, "role") << ": " << Field(finding, "what")
                << ". To do: " << Field(finding, "remedy") << '\n';
  }
}

// What the supervisor knows: its version, the file it read, and what it has in hand.
void PrintDaemon(const Console& console, const json& processes) {
  if (!processes.contains("roles")) {
    console.out << Red("purserd   does not answer: ") << Field(processes, "error") << '\n';
    return;
  }
  const json config = processes.value("config", json::object());
  console.out << "purserd   " << Field(processes, "version") << ", " << Field(config, "path")
              << ", connections " << Field(processes, "connections") << '\n';
  if (const auto lost = processes.value("entries_lost", uint64_t{0}); lost > 0) {
    console.out << Yellow("entries   ") << lost
                << " of purserd's own did not reach the ledger: it was latched, away, or flooded\n";
  }
}

void PrintProcesses(const Console& console, const json& processes) {
  if (!processes.contains("roles")) return;
  std::vector<std::vector<std::string>> rows;
  for (const json& role : processes["roles"]) {
    const std::string agent = role.contains("admin") ? "(operator)" : Field(role, "agent");
    rows.push_back({Field(role, "role"), agent, Field(role, "pid"), Field(role, "uptime_s"),
                    role.value("ready", false) ? "yes" : "no", Field(role, "restarts")});
  }
  PrintTable(console.out, {"PROCESS", "AGENT", "PID", "UPTIME_S", "READY", "RESTARTS"}, rows);
}

}  // namespace

int Judge(const Console& console, const broker::Result<AdminAnswer>& answer) {
  if (!answer) {
    const bool away = answer.error().code == broker::ErrorCode::kUnavailable;
    return Complain(console.output(), answer.error().detail,
                    away ? kExitUnreachable : kExitRefused);
  }
  if (answer->status >= 200 && answer->status < 300) return kExitDone;
  if (PrintedAsJson(console, answer->body)) return kExitRefused;
  console.err << "purser: refused (" << Field(answer->body, "reason")
              << "): " << Field(answer->body, "error_description") << '\n';
  return kExitRefused;
}

int RunStatus(const Console& console) {
  const auto answer = console.client.Call("GET", "/v1/status");
  if (const int code = Judge(console, answer)) return code;
  const json& body = answer->body;
  const json ending = body.value("ending", json::array());
  const int code = AnyUrgent(ending) ? kExitRefused : kExitDone;
  if (PrintedAsJson(console, body)) return code;
  const bool ready = body.value("ready", false);
  console.out << (ready ? Green("ready") : Red("not ready")) << "  " << Field(body, "instance")
              << ", tenant " << Field(body, "tenant") << ", policy "
              << Field(body, "policy_sha256").substr(0, 12) << '\n';
  PrintStops(console, body.value("stopped", json::object()));
  const json& ledger = body["ledger"];
  if (!ledger.value("reachable", false)) {
    console.out << Red("ledger    does not answer: ") << Field(ledger, "reason")
                << ". Everything is denied until it does; purserd starts it anew\n";
  } else if (ledger.value("latched", true)) {
    console.out << Red("ledger    latched: ") << Field(ledger, "reason")
                << ". Everything is denied. Mend the cause, then: purser ledger resume\n";
  } else {
    console.out << "ledger    seq " << Field(ledger, "seq") << ", leaf " << Field(ledger, "leaf")
                << '\n';
  }
  const json& store = body["store"];
  console.out << (store.value("usable", false) ? "store     usable\n"
                                               : Red("store     ") + Field(store, "reason") + "\n");
  PrintDaemon(console, body["processes"]);
  PrintSeparation(console, body);
  PrintProblems(console, body);
  PrintEnding(console, ending);
  PrintRotations(console, body.value("rotations", json::array()));
  PrintProcesses(console, body["processes"]);
  return code;
}

int RunReady(const Console& console) {
  const auto answer = console.client.Call("GET", "/readyz");
  if (!answer) return Judge(console, answer);
  const bool ready = answer->status == 200;
  if (PrintedAsJson(console, answer->body)) return ready ? kExitDone : kExitRefused;
  console.out << (ready ? Green("ready") : Red("not ready")) << '\n';
  PrintProblems(console, answer->body);
  return ready ? kExitDone : kExitRefused;
}

int RunAgents(const Console& console) {
  const auto answer = console.client.Call("GET", "/v1/agents");
  if (const int code = Judge(console, answer)) return code;
  if (PrintedAsJson(console, answer->body)) return kExitDone;
  std::vector<std::vector<std::string>> rows;
  for (const json& agent : answer->body["agents"]) {
    const std::string name =
        Field(agent, "name") + (agent.value("stopped", false) ? " (stopped)" : "");
    if (agent["rules"].empty()) {
      rows.push_back({name, Field(agent, "user"), Field(agent, "remaining"),
                      "none: everything is denied", "-", "-", "-", "-"});
    }
    for (const json& rule : agent["rules"]) {
      rows.push_back({name, Field(agent, "user"), Field(agent, "remaining"), Field(rule, "name"),
                      JoinTexts(rule["scopes"]), Field(rule, "credential"), Field(rule, "deliver"),
                      Field(rule, "decision")});
    }
  }
  PrintTable(console.out,
             {"AGENT", "USER", "BUDGET", "RULE", "SCOPES", "CREDENTIAL", "DELIVER", "DECISION"},
             rows);
  return kExitDone;
}

int RunReload(const Console& console, bool dry_run) {
  const auto answer = console.client.Call("POST", "/v1/reload", {{"dry_run", dry_run}});
  if (const int code = Judge(console, answer)) return code;
  const json& body = answer->body;
  const bool ok = body.value("ok", false);
  if (PrintedAsJson(console, body)) return ok ? kExitDone : kExitRefused;
  for (const json& line : body.value("errors", json::array())) console.err << Text(line) << '\n';
  for (const json& line : body.value("gained", json::array())) {
    console.out << "gained  " << Text(line) << '\n';
  }
  for (const json& line : body.value("lost", json::array())) {
    console.out << "lost    " << Text(line) << '\n';
  }
  if (!ok) console.err << "purser: nothing was changed\n";
  if (ok) console.out << (dry_run ? "would load: nothing was changed\n" : "reloaded\n");
  return ok ? kExitDone : kExitRefused;
}

int RunLedgerResume(const Console& console) {
  const auto answer = console.client.Call("POST", "/v1/ledger/resume", json::object());
  if (const int code = Judge(console, answer)) return code;
  if (PrintedAsJson(console, answer->body)) return kExitDone;
  console.out << "the ledger is written again, from seq " << Field(answer->body, "seq") << '\n';
  return kExitDone;
}

broker::Result<std::string> SealForBroker(const AdminClient& client, const broker::Secret& plain) {
  const auto key = client.Call("GET", "/v1/seal-key");
  if (!key) return std::unexpected(key.error());
  if (key->status != 200) {
    return broker::Fail(broker::ErrorCode::kDenied, Field(key->body, "error_description"));
  }
  return broker::SealTo(Field(key->body, "public_key"), plain);
}

}  // namespace sidecar::cli
