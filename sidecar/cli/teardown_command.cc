#include "sidecar/cli/teardown_command.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>

#include "broker/base/strict_json.h"
#include "broker/policy/config_values.h"
#include "sidecar/cli/config_command.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/new_file.h"
#include "sidecar/cli/stop_commands.h"
#include "sidecar/cli/teardown_text.h"
#include "sidecar/cli/terminal.h"
#include "sidecar/ipc/control.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

// What was typed; empty: nothing, and it was said.
std::string ConfirmedName(const Console& console, const TeardownOrder& order) {
  if (!order.name.empty()) return order.name;
  const auto answer = console.client.Call("GET", "/v1/teardown");
  if (Judge(console, answer) != kExitDone) return {};
  const std::string name = Field(answer->body, "instance");
  console.err
      << "This ends " << name
      << ": its agents stop for good, its secrets, its keys and its "
         "store are destroyed, and what it has at Entra is taken away. No backup of purser's "
         "opens it again, unless you have the key elsewhere.\nType its name to go on: "
      << std::flush;
  std::string typed;
  std::getline(std::cin, typed);
  if (typed == name) return typed;
  Complain(console.output(), "that is not its name. Nothing was done");
  return {};
}

int DryRun(const Console& console) {
  const auto answer = console.client.Call("POST", "/v1/teardown", {{"dry_run", true}});
  if (const int code = Judge(console, answer)) return code;
  if (console.json) {
    console.out << answer->body.dump(2) << '\n';
    return kExitDone;
  }
  for (const json& line : answer->body.value("would", json::array())) {
    console.out << "would  " << Text(line) << '\n';
  }
  for (const json& name : answer->body.value("left", json::array())) {
    console.out << "would leave  the identity of " << Text(name)
                << " enabled at Entra: no agent acts as it, or purser itself does\n";
  }
  return kExitDone;
}

void PrintEnd(const Console& console, const json& body) {
  PrintTeardown(console, body);
  if (body.contains("trouble"))
    console.out << Red("trouble") << "  " << Text(body["trouble"]) << '\n';
  if (body.value("torn_down", false)) {
    console.out << Green("torn down") << ". purserd ends, and does not start again here\n";
  } else if (body.value("stage", "") == "upstream") {
    console.out
        << Yellow("not torn down")
        << ": all agents are stopped, but not everything ended at Entra. Mend it and repeat "
           "the command; or go on all the same: --even-if-upstream-failed\n";
  }
}

int RunTeardown(const Console& console, const TeardownOrder& order) {
  json body = {{"why", ShortenedReason(order.why)}, {"instance", ConfirmedName(console, order)}};
  if (body["instance"] == "") return kExitRefused;
  if (order.skip_upstream) body["skip_upstream"] = true;
  if (order.even_if_upstream_failed) body["even_if_upstream_failed"] = true;
  // It names people: for whoever asked for it alone, and never over what is there.
  std::optional<NewFile> out;
  if (!order.out.empty()) {
    auto made = NewFile::Create(order.out);
    if (!made) {
      return Complain(console.output(),
                      order.out + ": " + made.error().detail + ". Nothing was done");
    }
    out = std::move(*made);
  }
  const auto answer = console.client.Call("POST", "/v1/teardown", body);
  const bool done = answer && answer->status == 200 && !answer->body.value("proposed", false);
  if (!done && out) out->Remove();
  if (const int code = Judge(console, answer)) {
    if (code == kExitUnreachable && !console.json) {
      console.err
          << "purser: where it was begun it goes on with the next start of purserd, or with "
             "the same command: purser teardown --report\n";
    }
    return code;
  }
  if (done && out) {
    if (const auto wrote = out->Write(answer->body.dump(2) + "\n"); !wrote) {
      console.err << "purser: " << order.out << ": " << wrote.error().detail
                  << ". It is kept: purser teardown --report\n";
    }
  }
  if (console.json) {
    console.out << answer->body.dump(2) << '\n';
  } else if (!done) {
    console.out << Yellow("proposed")
                << "  nothing is destroyed yet: another operator types the same "
                << "command within "
                << broker::policy::Format(
                       std::chrono::seconds(answer->body.value("expires_in", int64_t{0})))
                << '\n';
  } else {
    PrintEnd(console, answer->body);
  }
  const bool whole = done && answer->body.value("torn_down", false) && TornDownWhole(answer->body);
  return whole ? kExitDone : kExitRefused;
}

// Where the daemon is gone for good.
int PrintKept(const Console& console, const broker::policy::Config& config) {
  const std::string path = config.paths.state + "/" + std::string(ipc::kTornDown);
  std::ifstream file(path);
  if (!file) {
    return Complain(console.output(), path + ": " + std::strerror(errno) +
                                          ". Nothing was destroyed here, or you may not read it");
  }
  std::stringstream text;
  text << file.rdbuf();
  const auto kept = broker::ParseStrictJson(text.str());
  if (!kept || !kept->is_object()) return Complain(console.output(), path + ": is damaged");
  const std::string phase = kept->value("phase", "");
  const bool closed = phase == "closed";
  if (console.json) {
    console.out << kept->dump(2) << '\n';
  } else if (phase == "begun") {
    console.out << Yellow("begun")
                << ": all agents are stopped, and stay it; nothing is destroyed yet. To finish: "
                   "purser teardown. To give it up, as root: rm "
                << path << ", then: purser release --all\n";
  } else {
    PrintTeardown(console, *kept);
    console.out << (closed ? Green("torn down") + "\n"
                           : Yellow("not finished") + ": start purserd once more, it finishes\n");
  }
  return closed ? kExitDone : kExitRefused;
}

}  // namespace

void AddTeardown(CLI::App& app, Session& session, TeardownOrder& order) {
  auto* command =
      app.add_subcommand("teardown", "End this instance: destroy its keys and its store");
  command->footer(
      "Examples: purser teardown --dry-run\n"
      "          purser teardown --why \"project ended\" --out report.json\n"
      "          purser teardown --report\n"
      "Stops all agents; ends at Entra what purser has there, with the credential that [admin] "
      "upstream names: its secrets and certificates, users' sessions and grants, the identities "
      "that "
      "agents act as; destroys the key-encryption key and the store; closes the ledger, which is "
      "kept, and ends purserd. Asks for the instance's name first.\n"
      "Where Entra does not do all of it, nothing is destroyed: repeat it, or go on all the same. "
      "What a crash cuts short the same command, or the next start, finishes.");
  auto* why = command->add_option("--why", order.why, "For the ledger; cut after 200 characters");
  command->add_option("--yes-destroy", order.name, "The instance's name, instead of typing it")
      ->type_name("NAME");
  command->add_flag("--skip-upstream", order.skip_upstream, "Ask nothing of Entra");
  command->add_flag("--even-if-upstream-failed", order.even_if_upstream_failed,
                    "Destroy also where Entra did not do all");
  command->add_option("--out", order.out, "Write the report as JSON to a new file, too");
  auto* dry = command->add_flag("--dry-run", session.dry_run, "Say what would be done");
  auto* report =
      command->add_flag("--report", order.report, "Print the report of one that is over");
  dry->excludes(why)->excludes(report);
  report->excludes(why);
  command->callback([&session, &order] {
    if (!session.dry_run && !order.report && order.why.empty()) {
      throw CLI::RequiredError("--why");
    }
    session.chosen = [&session, &order] {
      if (order.report) {
        const AdminClient none{""};
        const Console console{none, std::cout, std::cerr, session.json};
        return session.WithConfig(
            [&](const broker::policy::Config& config) { return PrintKept(console, config); });
      }
      return session.WithDaemon([&](const Console& console) {
        return session.dry_run ? DryRun(console) : RunTeardown(console, order);
      });
    };
  });
}

}  // namespace sidecar::cli
