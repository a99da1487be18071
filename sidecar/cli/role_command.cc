#include "sidecar/cli/role_command.h"

#include <pwd.h>

#include <optional>
#include <ostream>
#include <vector>

#include "broker/policy/config_values.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/terminal.h"
#include "sidecar/cli/utc_time.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

// "uid:1001" with the name that this machine knows it by: "uid:1001 (sam)".
std::string Named(const std::string& holder) {
  const auto uid = holder.starts_with("uid:") ? broker::policy::ParseId(holder.substr(4))
                                              : std::optional<uint32_t>();
  const passwd* user = uid ? getpwuid(*uid) : nullptr;
  return user == nullptr ? holder : holder + " (" + user->pw_name + ")";
}

// What the daemon is sent: it knows users by number. Nothing for a name that nobody has.
std::optional<json> BodyOf(const RoleOrder& order) {
  json body = {{"role", order.role}};
  if (!order.why.empty()) body["why"] = order.why;
  if (broker::policy::IsGuid(order.holder)) {
    body["oid"] = order.holder;
    return body;
  }
  auto uid = broker::policy::ParseId(order.holder);
  if (!uid) {
    const passwd* user = getpwnam(order.holder.c_str());
    if (user == nullptr) return std::nullopt;
    uid = user->pw_uid;
  }
  body["uid"] = *uid;
  return body;
}

int NoSuchUser(const Console& console) {
  return Complain(console.output(),
                  "name a user of this machine, by name or number, or a person's object id",
                  kExitUsage);
}

}  // namespace

int RunGiveRole(const Console& console, const RoleOrder& order) {
  auto body = BodyOf(order);
  if (!body) return NoSuchUser(console);
  const auto lasts = broker::policy::ParseDuration(order.lasts);
  if (!lasts) return Complain(console.output(), "write --for 2h, a day at most", kExitUsage);
  (*body)["seconds"] = lasts->count();
  const auto answer = console.client.Call("POST", "/v1/roles", *body);
  if (const int code = Judge(console, answer)) return code;
  if (console.json) {
    console.out << answer->body.dump(2) << '\n';
    return kExitDone;
  }
  console.out << Green("given") << "  " << Field(answer->body, "given") << " to "
              << Named(Field(answer->body, "to")) << " for " << broker::policy::Format(*lasts)
              << ", entry " << Field(answer->body, "seq") << '\n';
  if (answer->body.contains("note")) console.out << Field(answer->body, "note") << '\n';
  return kExitDone;
}

int RunEndRole(const Console& console, const RoleOrder& order) {
  const auto body = BodyOf(order);
  if (!body) return NoSuchUser(console);
  const auto answer = console.client.Call("POST", "/v1/roles/end", *body);
  if (const int code = Judge(console, answer)) return code;
  if (console.json) {
    console.out << answer->body.dump(2) << '\n';
    return kExitDone;
  }
  console.out << Green("ended") << "  " << Field(answer->body, "ended") << " of "
              << Named(Field(answer->body, "of"));
  if (answer->body.value("recorded", false)) {
    console.out << ", entry " << Field(answer->body, "seq") << '\n';
  } else {
    console.out << ". The ledger does not have it yet; it is written as soon as it can be.\n";
  }
  if (!answer->body.value("kept", true)) {
    console.out << Yellow("not stored yet") << "  a restart right now would revive it\n";
  }
  return kExitDone;
}

int RunRoles(const Console& console) {
  const auto answer = console.client.Call("GET", "/v1/roles");
  if (const int code = Judge(console, answer)) return code;
  if (console.json) {
    console.out << answer->body.dump(2) << '\n';
    return kExitDone;
  }
  std::vector<std::vector<std::string>> rows;
  for (const json& one : answer->body["roles"]) {
    const bool timed = one.contains("until");
    rows.push_back({Field(one, "role"), Named(Field(one, "holder")), Field(one, "by"),
                    timed ? UtcTime(one.value("until", int64_t{0})) : "-", Field(one, "given_by"),
                    Field(one, "why")});
  }
  PrintTable(console.out, {"ROLE", "WHO", "BY", "UNTIL", "GIVEN BY", "WHY"}, rows);
  rows.clear();
  for (const json& one : answer->body.value("signed_in", json::array())) {
    rows.push_back({Field(one, "oid"), Named(Field(one, "user")),
                    std::to_string(one.value("expires_in", int64_t{0}) / 60) + " min"});
  }
  if (!rows.empty()) {
    console.out << '\n';
    PrintTable(console.out, {"SIGNED IN", "AS USER", "FOR AT MOST"}, rows);
  }
  console.out << "\nYou hold: " << JoinTexts(answer->body.value("yours", json::array())) << '\n';
  return kExitDone;
}

void AddRoles(CLI::App& app, Session& session, RoleOrder& order) {
  const auto run = [&session, &order](CLI::App* command,
                                      int (*act)(const Console&, const RoleOrder&)) {
    session.AtDaemon(command, [&order, act](const Console& c) { return act(c, order); });
  };
  const auto add_holder = [&order](CLI::App* command) {
    command->add_option("holder", order.holder, "User (name or number), or object id in Entra")
        ->required();
    command->add_option("role", order.role, "operator, approver or auditor")
        ->required()
        ->check(CLI::IsMember({"operator", "approver", "auditor"}));
  };
  auto* role = app.add_subcommand("role", "Give a role for a time")->require_subcommand(1);
  role->footer("Example: purser role give sam operator --for 2h --why \"support\"");
  auto* give = role->add_subcommand("give", "Give somebody a role; it ends by itself");
  give->footer(
      "For operators by configuration; never to themselves, never to an agent's user, and no role\n"
      "that is not theirs by configuration: only who is an approver, too, gives that one.\n"
      "Examples: purser role give sam operator --for 2h --why \"support\"\n"
      "          purser role give 7c9e6679-7425-40de-944b-e07fc1f90ae7 approver --for 8h --why "
      "\"night shift\"");
  add_holder(give);
  give->add_option("--for", order.lasts, "How long: 2h; a day at most")->required();
  give->add_option("--why", order.why, "For the ledger; at most 200 characters")->required();
  run(give, RunGiveRole);
  auto* end = role->add_subcommand("end", "End a role that was given for a time");
  end->footer("Example: purser role end sam operator");
  add_holder(end);
  end->add_option("--why", order.why, "For the ledger; at most 200 characters");
  run(end, RunEndRole);

  auto* roles = app.add_subcommand("roles", "Show who holds which role, by what and until when");
  roles->footer("Example: purser roles --json | jq '.roles[] | select(.by == \"time\")'");
  session.AtDaemon(roles, RunRoles);
}

}  // namespace sidecar::cli
