#include "sidecar/cli/restore_command.h"

#include <chrono>
#include <ostream>
#include <thread>

#include "sidecar/cli/daemon_commands.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/terminal.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

// A key file is read at once; a key vault may take its deadline of 15 s.
constexpr milliseconds kPatience{20'000};
constexpr milliseconds kLookAgain{100};

// Why the store is closed; empty when it is open.
std::string StoreTrouble(const json& readiness) {
  for (const json& missing : readiness.value("missing", json::array())) {
    if (Text(missing).starts_with("store: ")) return Text(missing);
  }
  return {};
}

}  // namespace

int RunRestore(const Console& console, const std::string& why) {
  const auto accepted = console.client.Call("POST", "/v1/restore", json{{"why", why}});
  if (const int code = Judge(console, accepted)) return code;
  const bool typed = accepted->body.value("unseal", false);
  std::string trouble;
  for (auto waited = milliseconds{0}; !typed && waited < kPatience; waited += kLookAgain) {
    const auto ready = console.client.Call("GET", "/readyz");
    if (!ready) return Judge(console, ready);
    trouble = StoreTrouble(ready->body);
    if (trouble.empty()) break;
    std::this_thread::sleep_for(kLookAgain);
  }
  if (console.json) {
    json body = accepted->body;
    body["open"] = !typed && trouble.empty();
    if (!trouble.empty()) body["trouble"] = trouble;
    console.out << body.dump(2) << '\n';
    return trouble.empty() ? kExitDone : kExitRefused;
  }
  if (typed) {
    console.out << Green("accepted") << ". Now open it with its passphrase: purser unseal\n";
  } else if (trouble.empty()) {
    console.out << Green("accepted") << ": the store is open.\n";
  } else {
    console.err << "purser: accepted, but not open yet: " << trouble << '\n';
    return kExitRefused;
  }
  console.out
      << Red("stopped") << "   all agents, once it is open: what was stopped, revoked or "
      << "used up since the backup\nmay be forgotten. Look at purser status, stop or revoke "
         "again what should be, enrol again what was\nrotated since, then: purser release "
         "--all --why TEXT\n";
  return kExitDone;
}

void AddRestore(CLI::App& app, Session& session, RestoreOrder& order) {
  auto* command = app.add_subcommand("restore", "Go on with a store or a ledger from a backup");
  command->footer(
      "purser does not open a store that is older than its ledger says, nor one whose ledger lost\n"
      "its end: somebody may have put an older copy back. If it was you, say so: it is recorded,\n"
      "and all agents are stopped until purser release --all.\n"
      "Example: purser restore --accept --why \"disk replaced, backup of last night\"");
  command->add_flag("--accept", order.accept, "It was you who put it back")->required();
  command->add_option("--why", order.why, "For the ledger; at most 200 characters")->required();
  session.AtDaemon(command, [&order](const Console& c) { return RunRestore(c, order.why); });
}

}  // namespace sidecar::cli
