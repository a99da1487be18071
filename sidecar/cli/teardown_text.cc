#include "sidecar/cli/teardown_text.h"

#include <algorithm>
#include <ostream>

#include "sidecar/cli/alive_text.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/terminal.h"
#include "sidecar/cli/upstream_text.h"
#include "sidecar/cli/utc_time.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

json Member(const json& body, const char* name, json otherwise) {
  return body.is_object() && body.contains(name) && !body[name].is_null() ? body[name]
                                                                          : std::move(otherwise);
}
json List(const json& body, const char* name) { return Member(body, name, json::array()); }

bool IsDone(const json& one) { return one.value("done", false); }

void PrintWho(const Console& console, const json& report) {
  const json by = Member(report, "by", json::object());
  console.out << "instance    " << Field(report, "instance") << '\n'
              << "tenant      " << Field(report, "tenant") << '\n'
              << "began       " << UtcTime(report.value("began", int64_t{0})) << '\n'
              << "time        " << UtcTime(report.value("time", int64_t{0})) << '\n'
              << "by          user " << Field(by, "uid")
              << (by.contains("loginuid") ? ", signed in as " + Text(by["loginuid"]) : "")
              << (by.contains("oid") ? ", in Entra " + Text(by["oid"]) : "") << '\n'
              << "why         " << Field(report, "why") << '\n';
  for (const json& agent : List(report, "agents")) {
    console.out << "stopped     agent " << Field(agent, "name") << " (credentials "
                << JoinTexts(List(agent, "credentials")) << ")\n";
  }
}

void PrintAtEntra(const Console& console, const json& report) {
  if (report.value("upstream_skipped", false)) {
    console.out << Yellow("at Entra") << "  nothing was done: --skip-upstream\n";
  }
  PrintUpstream(console, {{"upstream", List(report, "upstream")}});
  for (const json& name : List(report, "left")) {
    console.out << "at Entra, left  the identity of " << Text(name)
                << " stays enabled: no agent acts as it, or purser itself does\n";
  }
}

void PrintCredentials(const Console& console, const json& report) {
  for (const json& one : List(report, "credentials")) {
    const json destroyed = List(one, "destroyed");
    std::string what;
    for (const json& secret : destroyed) what += (what.empty() ? "" : ", ") + Text(secret);
    console.out << "credential  " << Field(one, "name") << " (" << Field(one, "kind")
                << "): " << (what.empty() ? "no secret in purser's store" : "destroyed its " + what)
                << '\n';
    for (const char* more : {"by_hand", "trouble"}) {
      if (one.contains(more)) console.out << "            " << Text(one[more]) << '\n';
    }
  }
}

void PrintDestroyed(const Console& console, const json& body) {
  for (const json& one : List(body, "destroyed")) {
    const std::string path = one.value("path", "");
    console.out << (IsDone(one)    ? Green("destroyed")
                    : path.empty() ? Yellow("yours to destroy")
                                   : Red("NOT DESTROYED"))
                << "   " << Field(one, "what") << (path.empty() ? "" : " " + path) << ": "
                << Field(one, "detail") << '\n';
    if (one.contains("by_hand")) console.out << "            " << Text(one["by_hand"]) << '\n';
  }
  for (const json& one : List(body, "unreadable")) {
    console.out << "tried to open  " << Text(one) << '\n';
  }
}

}  // namespace

void PrintTeardown(const Console& console, const json& body) {
  const json report = Member(body, "report", json::object());
  PrintWho(console, report);
  PrintAtEntra(console, report);
  PrintCredentials(console, report);
  PrintAlive(console, report);
  PrintDestroyed(console, body);
  const json ledger = Member(body, "ledger", json::object());
  if (!ledger.contains("seq")) return;
  const std::string head = Field(ledger, "seq") + ":" + Field(ledger, "leaf");
  console.out << "ledger      closed with entry " << Field(ledger, "seq")
              << ". It is kept; to verify it: purser audit verify --head " << head << '\n';
}

bool TornDownWhole(const json& body) {
  const json report = Member(body, "report", json::object());
  const auto destroyed = List(body, "destroyed");
  return std::ranges::all_of(List(report, "upstream"), IsDone) &&
         std::ranges::all_of(destroyed, [](const json& one) {
           return IsDone(one) || one.value("path", "").empty();
         });
}

}  // namespace sidecar::cli
