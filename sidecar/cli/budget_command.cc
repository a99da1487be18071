#include "sidecar/cli/budget_command.h"

#include <charconv>
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

// The largest unit that says it whole: "2h", "90s".
std::string Span(int64_t seconds) {
  for (const auto& [size, name] : {std::pair{int64_t{86400}, "d"}, {3600, "h"}, {60, "m"}}) {
    if (seconds > 0 && seconds % size == 0) return std::to_string(seconds / size) + name;
  }
  return std::to_string(seconds) + "s";
}

// Not shorter than it is: "45s", "4h 48m".
std::string Wait(int64_t seconds) {
  if (seconds < 60) return std::to_string(seconds) + "s";
  const int64_t minutes = (seconds + 59) / 60;
  const std::string rest = minutes % 60 == 0 ? "" : std::to_string(minutes % 60) + "m";
  if (minutes < 60) return rest;
  return std::to_string(minutes / 60) + "h" + (rest.empty() ? "" : " " + rest);
}

// "20 in 1h per task", "3 tokens at a time".
std::string Allowance(const json& limit) {
  const std::string kind = limit.value("kind", std::string("limit"));
  if (kind == "concurrent") return Field(limit, "limit") + " alive at a time";
  const std::string rate =
      Field(limit, "limit") + " in " + Span(limit.value("per_seconds", int64_t{0}));
  return kind == "per_task" ? rate + " per task" : rate;
}

std::string Left(const json& limit) {
  const int64_t tasks = limit.value("tasks", int64_t{0});
  if (tasks < 2) return Field(limit, "remaining");
  return Field(limit, "remaining") + ", of " + std::to_string(tasks) + " tasks the least";
}

// What the daemon is sent; nothing where the words make no order.
std::optional<json> BodyOf(const BudgetOrder& order) {
  const size_t equals = order.raise.rfind('=');
  const std::string count =
      equals == order.raise.npos ? order.raise : order.raise.substr(equals + 1);
  uint32_t number = 0;
  const char* const end = count.data() + count.size();
  const auto read = std::from_chars(count.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  json body = {{"count", number}, {"why", order.why}};
  if (equals != order.raise.npos) body["rule"] = order.raise.substr(0, equals);
  if (order.kind != "limit") body["kind"] = order.kind == "per-task" ? "per_task" : order.kind;
  if (order.lasts.empty()) return body;
  const auto lasts = broker::policy::ParseDuration(order.lasts);
  if (!lasts) return std::nullopt;
  body["seconds"] = lasts->count();
  return body;
}

void PrintLimits(const Console& console, const json& limits) {
  std::vector<std::vector<std::string>> rows;
  for (const json& limit : limits) {
    const int64_t wait = limit.value("next_in", int64_t{0});
    const std::string raised = limit.contains("raised")
                                   ? Field(limit, "raised") + " more until " +
                                         UtcTime(limit.value("raised_until", int64_t{0}))
                                   : "-";
    rows.push_back({limit.contains("rule") ? "rule " + Field(limit, "rule") : "all requests",
                    Allowance(limit), Left(limit), wait == 0 ? "now" : "in " + Wait(wait), raised});
  }
  if (rows.empty()) {
    console.out << "no limits: the configuration says \"none\"\n";
    return;
  }
  PrintTable(console.out, {"OF", "LIMIT", "LEFT", "NEXT", "RAISED"}, rows);
}

}  // namespace

int RunBudget(const Console& console, const BudgetOrder& order) {
  const std::string path = "/v1/agents/" + order.agent + "/budget";
  broker::Result<AdminAnswer> answer =
      broker::Fail(broker::ErrorCode::kInvalidRequest, "nothing was asked");
  if (order.raise.empty()) {
    answer = console.client.Call("GET", path);
  } else {
    const auto body = BodyOf(order);
    if (!body) {
      return Complain(console.output(),
                      "write --raise RULE=5 (or --raise 5 for the agent's own limit), and --for 2h",
                      kExitUsage);
    }
    answer = console.client.Call("POST", path, *body);
  }
  if (const int code = Judge(console, answer)) return code;
  if (console.json) {
    console.out << answer->body.dump(2) << '\n';
    return kExitDone;
  }
  if (!order.raise.empty()) {
    console.out << Green("raised") << "  entry " << Text(answer->body["seq"]) << '\n';
  }
  PrintLimits(console, answer->body["limits"]);
  return kExitDone;
}

void AddBudget(CLI::App& app, Session& session, BudgetOrder& order) {
  auto* command =
      app.add_subcommand("budget", "Show what an agent has left of its limits, or allow more");
  command->footer(
      "What is used is used over restarts. A raise is in the ledger, and ends by itself.\n"
      "Examples: purser budget helpdesk\n"
      "          purser budget helpdesk --raise reset-mfa=10 --for 2h --why \"phones lost\"\n"
      "          purser budget helpdesk --raise reset-mfa=0 --why \"found again\"\n"
      "          purser budget helpdesk --raise reset-mfa=5 --kind per-task --why \"a long case\"");
  command->add_option("agent", order.agent, "Name in purser.toml")->required();
  auto* why = command->add_option("--why", order.why, "For the ledger; at most 200 characters");
  auto* raise = command->add_option(
      "--raise", order.raise, "RULE=N, or N for the agent's own limit: so many more; 0 ends it");
  auto* kind = command->add_option("--kind", order.kind, "Which limit of it is raised");
  kind->check(CLI::IsMember({"limit", "per-task", "concurrent"}))->capture_default_str();
  auto* lasts = command->add_option("--for", order.lasts, "How long: 2h; a day where absent");
  raise->needs(why);
  why->needs(raise);
  lasts->needs(raise);
  kind->needs(raise);
  session.AtDaemon(command, [&order](const Console& c) { return RunBudget(c, order); });
}

}  // namespace sidecar::cli
