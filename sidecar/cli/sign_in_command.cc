#include "sidecar/cli/sign_in_command.h"

#include <ostream>
#include <string>
#include <utility>

#include "broker/policy/config_values.h"
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

int RunSignOutOthers(const Console& console, const SignOutOrder& order) {
  if (!order.all && !broker::policy::IsGuid(order.person)) {
    return Complain(console.output(), "name a person by object id; purser roles lists who is in",
                    kExitUsage);
  }
  json body = order.all ? json{{"all", true}} : json{{"oid", order.person}};
  if (!order.why.empty()) body["why"] = order.why;
  const auto answer = console.client.Call("POST", "/v1/sign-out/others", body);
  if (const int code = Judge(console, answer)) return code;
  if (console.json) {
    console.out << answer->body.dump(2) << '\n';
    return kExitDone;
  }
  const auto ended = answer->body.value("signed_out", uint64_t{0});
  console.out << Green("signed out") << "  " << (order.all ? "everybody" : order.person) << ", "
              << ended << (ended == 1 ? " session" : " sessions");
  if (answer->body.value("recorded", false)) {
    console.out << ", entry " << Field(answer->body, "seq") << '\n';
  } else {
    console.out << '\n' << Yellow("not recorded") << "  the ledger does not write\n";
  }
  return kExitDone;
}

void AddSignOut(CLI::App& app, Session& session, SignOutOrder& order) {
  auto* logout = app.add_subcommand("logout", "End the sign-in of login --as-operator");
  logout->footer(
      "One's own; for operators also somebody else's, at once. Who may still sign in can do so\n"
      "again: take them out of the directory's group first.\n"
      "Examples: purser logout\n"
      "          purser logout --person 7c9e6679-7425-40de-944b-e07fc1f90ae7 --why \"has left\"");
  auto* person =
      logout->add_option("--person", order.person, "All sign-ins of that person, by object id");
  auto* all = logout->add_flag("--all", order.all, "Everybody's")->excludes(person);
  logout->add_option("--why", order.why, "For the ledger; at most 200 characters");
  logout->callback([&session, &order, person, all] {
    const bool others = person->count() + all->count() > 0;
    if (!others && !order.why.empty()) throw CLI::RequiredError("--person or --all");
    session.chosen = [&session, &order, others] {
      return session.WithDaemon([&order, others](const Console& console) {
        return others ? RunSignOutOthers(console, order) : RunSignOut(console);
      });
    };
  });
}

}  // namespace sidecar::cli
