#include "sidecar/cli/revoke_command.h"

#include <ostream>

#include "sidecar/cli/alive_text.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/stop_commands.h"
#include "sidecar/cli/terminal.h"
#include "sidecar/cli/upstream_text.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

json BodyOf(const RevokeOrder& order) {
  json body = !order.credential.empty() ? json{{"credential", order.credential}}
              : !order.agent.empty()    ? json{{"agent", order.agent}}
                                        : json{{"token_seq", order.token_seq}};
  if (order.upstream && order.agent.empty()) body["upstream"] = true;
  if (!order.why.empty()) body["why"] = ShortenedReason(order.why);
  return body;
}

std::string Entry(const json& body) {
  return body.value("recorded", false) ? ", entry " + Text(body["seq"]) : "";
}

// What brings it back to use.
std::string WayBack(const json& body, const std::string& name) {
  const std::string kind = body.value("kind", "");
  if (kind == "refresh-token") return "purser login " + name;
  const bool own = kind == "client-secret" || kind == "certificate";
  if (own && body.value("vault", "").empty()) return "purser secret set " + name;
  return "purser release --credential " + name + " --why TEXT";
}

void PrintCredential(const Console& console, const json& body) {
  const std::string name = body.value("revoked", "");
  console.out << Red("revoked") << "   " << name << Entry(body)
              << ". To use it again: " << WayBack(body, name) << '\n';
  for (const json& what : body.value("destroyed", json::array())) {
    console.out << "destroyed its " << Text(what) << " in purser's store\n";
  }
  if (const std::string vault = body.value("vault", ""); !vault.empty()) {
    console.out << "its secret is still in vault " << vault << ", which is not purser's to empty\n";
  }
  for (const json& other : body.value("affected", json::array())) {
    if (other != name) console.out << "with it  " << Text(other) << ", which it proves\n";
  }
}

void PrintSubject(const Console& console, const json& body) {
  if (body.contains("stopped")) {
    console.out << Red("stopped") << "   " << Text(body["stopped"]) << Entry(body)
                << ". To let it go on: purser release " << Text(body["stopped"]) << " --why TEXT\n";
  } else if (body.contains("revoked_token")) {
    console.out << Red("forgotten") << " the token of entry " << Text(body["revoked_token"])
                << Entry(body) << ": " << Text(body["agent"])
                << " gets another one when it asks. To end that: purser revoke "
                << Text(body["credential"]) << '\n';
  } else {
    PrintCredential(console, body);
  }
}

void PrintRevoked(const Console& console, const json& body) {
  PrintSubject(console, body);
  if (!body.value("durable", true)) {
    console.out << Red("not stored") << ": " << Text(body["why_not_durable"])
                << ". It holds until purser-broker restarts. Repeat it when the store can be "
                   "written\n";
  }
  if (!body.value("recorded", false)) {
    console.out << Red("not recorded") << ": " << Text(body["why_not_recorded"])
                << ". Repeat it when the ledger can write; nothing is issued until then\n";
  }
  PrintAlive(console, body);
  PrintUpstream(console, body);
}

}  // namespace

int RunRevoke(const Console& console, const RevokeOrder& order) {
  const auto answer = console.client.Call("POST", "/v1/revoke", BodyOf(order));
  if (const int code = Judge(console, answer)) return code;
  json body = answer->body;
  const bool kept = body.value("durable", true) && body.value("recorded", false);
  const bool agents = order.upstream && !order.agent.empty();
  if (!console.json) PrintRevoked(console, body);
  const int asked = agents ? RunUpstream(console, {{"agent", order.agent}}, &body) : int{kExitDone};
  if (console.json) console.out << body.dump(2) << '\n';
  return kept && asked == kExitDone && AllDone(body) ? kExitDone : kExitRefused;
}

void AddRevoke(CLI::App& app, Session& session, RevokeOrder& order) {
  auto* command = app.add_subcommand(
      "revoke", "Take a credential out of use, or an agent's rights, or forget one token");
  command->footer(
      "Examples: purser revoke aid-mail --why \"laptop stolen\"\n"
      "          purser revoke app --upstream\n"
      "          purser revoke --agent helpdesk\n"
      "          purser revoke --token 4711\n"
      "A credential: its secret in purser's store is destroyed; what a vault elsewhere keeps is "
      "not "
      "used, over restarts, until purser login, secret set or release --credential.\n"
      "An agent: the stop of purser kill under another name, with the same release.\n"
      "A token, by the ledger's seq of its token.issued: purser forgets it and mints anew when "
      "asked "
      "again.\n"
      "--upstream ends it at Entra, too, with the credential that [admin] upstream names: removes "
      "the client secret or certificate, revokes the user's sessions (in all applications) and "
      "deletes the registration's delegated grants; of what has none of these, and of an agent, "
      "disables the identity.\n"
      "Ends with the tokens that are still alive outside: no stop recalls what is out.");
  auto* whom = command->add_option_group("what")->require_option(1);
  whom->add_option("credential", order.credential, "Name in purser.toml");
  whom->add_option("--agent", order.agent, "An agent's name in purser.toml");
  whom->add_option("--token", order.token_seq, "Ledger seq of a token.issued entry");
  command->add_flag("--upstream", order.upstream, "At Entra, too; not of a token");
  command->add_option("--why", order.why, "For the ledger; cut after 200 characters");
  session.AtDaemon(command, [&order](const Console& c) { return RunRevoke(c, order); });
}

}  // namespace sidecar::cli
