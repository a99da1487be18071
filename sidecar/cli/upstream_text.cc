#include "sidecar/cli/upstream_text.h"

#include <algorithm>
#include <ostream>

#include "sidecar/cli/json_text.h"
#include "sidecar/cli/terminal.h"

namespace sidecar::cli {

using nlohmann::json;

bool PrintUpstream(const Console& console, const json& body) {
  bool whole = true;
  for (const json& one : body.value("upstream", json::array())) {
    const bool done = one.value("done", false);
    whole = whole && done;
    console.out << (done ? Green("at Entra") : Red("at Entra, not done")) << "  "
                << Text(one["what"]) << ' ' << Text(one["target"]) << " ("
                << Text(one["credential"]) << "): " << Text(one["detail"]) << '\n';
  }
  for (const json& one : body.value("left", json::array())) {
    console.out << Yellow("at Entra, left") << "  the identity of " << Text(one)
                << ": another agent, or purser itself, uses it, too\n";
  }
  if (!whole) console.out << "Repeat it, or do what is left at Entra by hand.\n";
  return whole;
}

bool AllDone(const json& body) {
  const json results = body.value("upstream", json::array());
  return std::ranges::all_of(results, [](const json& one) { return one.value("done", false); });
}

int RunUpstream(const Console& console, const json& whom, json* body) {
  if (!console.json) console.out << "asking Entra to disable the identities…\n" << std::flush;
  const auto answer = console.client.Call("POST", "/v1/upstream", whom);
  if (!console.json) {
    if (const int code = Judge(console, answer)) return code;
    return PrintUpstream(console, answer->body) ? kExitDone : kExitRefused;
  }
  const bool told = answer && answer->status == 200;
  if (told) body->update(answer->body);
  if (!told) (*body)["upstream_error"] = answer ? answer->body : json(answer.error().detail);
  return told && AllDone(*body) ? kExitDone : kExitRefused;
}

}  // namespace sidecar::cli
