#include "sidecar/cli/rotate_command.h"

#include <chrono>
#include <ostream>
#include <thread>

#include "broker/policy/config_values.h"
#include "sidecar/cli/json_text.h"
#include "sidecar/cli/terminal.h"
#include "sidecar/cli/utc_time.h"

namespace sidecar::cli {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kPoll{1};
// A broker that is restarted answers again within seconds, and goes on with the rotation.
constexpr int kUnansweredPolls = 60;

std::string StepText(const json& view) {
  const std::string step = view.value("step", "");
  if (step == "adding") return "adding     a new one at Entra";
  if (step == "proving") return "proving    key " + Field(view, "new_key") + " with real requests";
  if (step == "switching") return "switching  to it";
  if (step == "undoing") return "undoing    the new one is removed, the old one stays in use";
  if (step == "grace") {
    return "grace      the new one is in use; key " + Field(view, "old_key") + " is removed at " +
           UtcTime(view.value("remove_after", int64_t{0}));
  }
  return step;
}

int Ended(const Console& console, const json& view) {
  const std::string failure = view.value("failure", "");
  if (console.json) {
    console.out << view.dump(2) << '\n';
    return failure.empty() ? kExitDone : kExitRefused;
  }
  const std::string name = Field(view, "credential");
  if (!failure.empty()) {
    console.err << "purser: " << name << " was not rotated to its end: " << failure << '\n';
    return kExitRefused;
  }
  console.out << Green("rotated") << "    " << name;
  if (view.contains("version")) console.out << ", version " << Field(view, "version");
  if (view.contains("new_key")) console.out << ", key " << Field(view, "new_key");
  console.out << " is in use";
  if (view.value("step", "") == "grace") {
    console.out << ". By itself, also over restarts: key " << Field(view, "old_key")
                << " is removed at Entra at " << UtcTime(view.value("remove_after", int64_t{0}));
  }
  console.out << '\n';
  return kExitDone;
}

bool IsOver(const json& view) {
  const std::string step = view.value("step", "");
  return step == "grace" || step == "idle";
}

// Prints what changes, until the new one is in use or given up.
int Follow(const Console& console, const std::string& credential, json view) {
  std::string shown;
  int unanswered = 0;
  while (!IsOver(view)) {
    std::string line = StepText(view);
    if (view.value("stuck", false)) line += "\nstuck      " + Field(view, "trouble");
    if (!console.json && line != shown) console.out << line << std::endl;
    shown = line;
    std::this_thread::sleep_for(kPoll);
    auto answer = console.client.Call("GET", "/v1/credentials/" + credential + "/rotation");
    const bool good = answer && answer->status == 200;
    if (good) view = std::move(answer->body);
    unanswered = good ? 0 : unanswered + 1;
    if (unanswered < kUnansweredPolls) continue;
    console.err << "purser: the daemon goes on with it by itself; purser rotate " << credential
                << " shows it again\n";
    return Judge(console, answer);
  }
  return Ended(console, view);
}

int ShowPlan(const Console& console, const std::string& credential, const json& body) {
  if (console.json) {
    console.out << body.dump(2) << '\n';
    return kExitDone;
  }
  console.out << "purser rotate " << credential << " would:\n";
  for (const json& line : body.value("would", json::array())) {
    console.out << "  - " << Text(line) << '\n';
  }
  return kExitDone;
}

}  // namespace

int RunRotate(const Console& console, const RotateOrder& order) {
  const auto grace = broker::policy::ParseDuration(order.grace);
  if (!grace) {
    return Complain(console.output(), "--grace is a duration such as 30m, 1h or 2d", kExitUsage);
  }
  const std::string path = "/v1/credentials/" + order.credential;
  json body = {{"grace", grace->count()}};
  if (order.dry_run) body["dry_run"] = true;
  if (order.client_secret) body["client_secret"] = true;
  if (!order.object_id.empty()) body["object_id"] = order.object_id;
  if (!order.key_id.empty()) body["key_id"] = order.key_id;
  const auto begun = console.client.Call("POST", path + "/rotate", body);
  if (begun && begun->status == 409 && !order.dry_run) {
    const auto under_way = console.client.Call("GET", path + "/rotation");
    if (under_way && under_way->status == 200 && under_way->body.value("step", "") != "idle") {
      if (!console.json) {
        console.out << "under way  since " << UtcTime(under_way->body.value("started", int64_t{0}))
                    << '\n';
      }
      return Follow(console, order.credential, under_way->body);
    }
  }
  if (const int code = Judge(console, begun)) return code;
  if (order.dry_run) return ShowPlan(console, order.credential, begun->body);
  return Follow(console, order.credential, begun->body);
}

void AddRotate(CLI::App& app, Session& session, RotateOrder& order) {
  auto* rotate = app.add_subcommand("rotate", "Replace a credential's secret at Entra and here");
  rotate->footer(
      "A new certificate or client secret is added, proven with real token requests, and used; "
      "the\n"
      "old one is removed when the grace period has passed. A refresh token is redeemed for a new\n"
      "one. The daemon does it by itself: Ctrl-C ends nothing, and the same command shows it "
      "again.\n"
      "Examples: purser rotate admin-app --dry-run\n"
      "          purser rotate admin-app --grace 2h");
  rotate->add_option("credential", order.credential, "Name in purser.toml")->required();
  rotate->add_flag("--dry-run", order.dry_run, "Only look, and say what would happen");
  rotate->add_flag(
      "--client-secret", order.client_secret,
      "Of a refresh token with client_auth = \"secret\": the registration's client secret");
  rotate->add_option("--grace", order.grace, "How long the old one stays valid (30m, 1h, 2d)")
      ->capture_default_str();
  rotate->add_option("--object-id", order.object_id,
                     "Of the application, where purser may not read it: from the portal");
  rotate->add_option("--key-id", order.key_id,
                     "Of the certificate or secret in use, where purser cannot tell");
  session.AtDaemon(rotate, [&order](const Console& c) { return RunRotate(c, order); });
}

std::string RotationText(const json& view) {
  if (view.value("step", "") == "idle") return Yellow("failed") + ": " + Field(view, "failure");
  if (!view.value("stuck", false)) return StepText(view);
  return Red("stuck") + " while " + Field(view, "step") + ": " + Field(view, "trouble");
}

void PrintRotations(const Console& console, const json& rotations) {
  for (const json& view : rotations) {
    const char* const what = view.contains("secret") ? ", its client secret" : "";
    console.out << "rotation  " << Field(view, "credential") << what << ": " << RotationText(view)
                << '\n';
  }
}

}  // namespace sidecar::cli
