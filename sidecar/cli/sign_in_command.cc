#include "sidecar/cli/sign_in_command.h"

#include <chrono>
#include <ostream>
#include <string>
#include <thread>

#include "sidecar/cli/json_text.h"
#include "sidecar/cli/session_file.h"
#include "sidecar/cli/terminal.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

int Keep(const Console& console, const std::string& socket_path, json body) {
  const std::string session = Field(body, "session");
  body.erase("session");  // for the file alone
  const auto kept = SessionFile().Write(socket_path, session);
  if (!kept) return Complain(console.output(), kept.error().detail);
  if (console.json) {
    console.out << body.dump(2) << '\n';
    return kExitDone;
  }
  const json roles = body.value("roles", json::array());
  console.out << Green("signed in") << "  as " << Field(body, "oid") << ", for "
              << body.value("expires_in", int64_t{0}) / 60
              << " minutes at most: " << (roles.empty() ? "no role" : JoinTexts(roles)) << '\n';
  return kExitDone;
}

}  // namespace

int RunSignIn(const Console& console, const std::string& socket_path) {
  auto answer = console.client.Call("POST", "/v1/sign-ins", json::object());
  if (const int code = Judge(console, answer)) return code;
  const std::string id = Field(answer->body, "id");
  (console.json ? console.err : console.out)
      << "Open " << Bold(Field(answer->body, "verification_uri")) << " and enter "
      << Bold(Field(answer->body, "user_code"))
      << ",\nas yourself. Enter no code that somebody else sends you. Waiting…" << std::endl;
  for (int64_t interval = answer->body.value("interval", 5);;
       interval = answer->body.value("interval", interval)) {
    // The interval is the protocol's (RFC 8628 §3.5): polling faster is answered with slow_down.
    std::this_thread::sleep_for(std::chrono::seconds(interval));
    answer = console.client.Call("POST", "/v1/sign-ins/" + id, json::object());
    if (const int code = Judge(console, answer)) return code;
    if (answer->body.value("done", false)) break;
  }
  return Keep(console, socket_path, std::move(answer->body));
}

int RunSignOut(const Console& console) {
  const auto answer = console.client.Call("POST", "/v1/sign-out", json::object());
  SessionFile().Remove();
  if (const int code = Judge(console, answer)) return code;
  console.out << (console.json ? answer->body.dump(2) : "signed out") << '\n';
  return kExitDone;
}

}  // namespace sidecar::cli
