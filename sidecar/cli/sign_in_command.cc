#include "sidecar/cli/sign_in_command.h"

#include <ostream>
#include <string>
#include <utility>

#include "sidecar/cli/device_code.h"
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
  const auto begun = console.client.Call("POST", "/v1/sign-ins", json::object());
  if (const int code = Judge(console, begun)) return code;
  const std::string path = "/v1/sign-ins/" + Field(begun->body, "id");
  auto done = AwaitDeviceCode(console, begun->body,
                              "as yourself. Enter no code that somebody else sends you.",
                              [&] { return console.client.Call("POST", path, json::object()); });
  return done ? Keep(console, socket_path, std::move(*done)) : done.error();
}

int RunSignOut(const Console& console) {
  const auto answer = console.client.Call("POST", "/v1/sign-out", json::object());
  SessionFile().Remove();
  if (const int code = Judge(console, answer)) return code;
  console.out << (console.json ? answer->body.dump(2) : "signed out") << '\n';
  return kExitDone;
}

}  // namespace sidecar::cli
