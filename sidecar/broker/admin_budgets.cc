// What agents have left of their limits, and more of it for a time.
#include <algorithm>
#include <utility>

#include "broker/base/unix_time.h"
#include "broker/policy/nearest.h"
#include "sidecar/broker/admin_service.h"
#include "sidecar/broker/admin_why.h"
#include "sidecar/broker/budget_rows.h"

namespace sidecar::broker_role {
namespace {

using broker::BudgetState, broker::Measure, broker::Reason, broker::Refusal, broker::Refuse;
using broker::policy::Agent, broker::policy::Config;
using nlohmann::json;
using std::chrono::seconds;
using Outcome = AdminService::Outcome;

// What is needed every day belongs into the configuration, which is reviewed.
constexpr seconds kUsual = std::chrono::hours(24);
constexpr seconds kLongest = std::chrono::hours(7 * 24);
constexpr uint64_t kMost = 1'000'000;  // as a limit in the configuration

std::expected<const Agent*, Refusal> FindAgent(const Config& config, const std::string& name) {
  const auto found = config.agents.find(name);
  if (found != config.agents.end()) return &found->second;
  const std::string meant =
      broker::policy::DidYouMean(name, broker::policy::NamesOf(config.agents));
  return Refuse(Reason::kNotFound, "The configuration has no agent of that name" +
                                       (meant.empty() ? std::string() : ": " + meant) + ".");
}

struct Order {
  std::string rule, why;
  Measure measure = Measure::kRequests;
  uint32_t count = 0;
  seconds lasts = kUsual;
};

std::expected<Order, Refusal> ReadOrder(const json& body) {
  Order order;
  const json rule = body.value("rule", json(""));
  const json& count = body.at("count");
  const json lasts = body.value("seconds", json(kUsual.count()));
  const json kind = body.value("kind", json("limit"));
  if (!rule.is_string() || !kind.is_string()) return Refuse(Reason::kWrongType);
  const auto measure = broker::FindMeasure(kind.get_ref<const std::string&>());
  if (!measure) {
    return Refuse(Reason::kValueOutOfRange, "kind is limit, per_task or concurrent.");
  }
  order.measure = *measure;
  if (!count.is_number_unsigned() || count.get<uint64_t>() > kMost) {
    return Refuse(Reason::kValueOutOfRange, "count is from 0, which ends it, to 1000000.");
  }
  if (!lasts.is_number_integer() || lasts.get<int64_t>() < 1 ||
      lasts.get<int64_t>() > kLongest.count()) {
    return Refuse(Reason::kValueOutOfRange, "It lasts from a second to 7 days.");
  }
  order.rule = rule.get<std::string>();
  auto why = WhyOf(body);
  if (!why) return std::unexpected(std::move(why.error()));
  order.why = std::move(*why);
  order.count = count.get<uint32_t>();
  order.lasts = seconds(lasts.get<int64_t>());
  return order;
}

}  // namespace

Outcome AdminService::ShowBudget(const Call& call) {
  const auto config = ports_.broker.config();
  const auto agent = FindAgent(*config, call.argument);
  if (!agent) return std::unexpected(agent.error());
  return json{{"agent", call.argument},
              {"limits", BudgetRows(ports_.broker.budgets().Of(**agent))}};
}

// Recorded before it is given: nobody gets more than the ledger knows of.
Outcome AdminService::RaiseBudget(const Call& call) {
  const auto config = ports_.broker.config();
  const auto agent = FindAgent(*config, call.argument);
  if (!agent) return std::unexpected(agent.error());
  const auto order = ReadOrder(call.body);
  if (!order) return std::unexpected(order.error());
  auto& budgets = ports_.broker.budgets();
  const auto limits = budgets.Of(**agent);
  const auto is_it = [&](const BudgetState& state) {
    return state.rule == order->rule && state.measure == order->measure;
  };
  if (std::ranges::none_of(limits, is_it)) {
    return Refuse(Reason::kNotFound, "There is no such limit; purser budget " + call.argument +
                                         " lists those that there are.");
  }
  const auto until = ports_.minter_ports.clock.WallNow() + order->lasts;
  broker::ledger::Entry entry =
      EntryOf(call, broker::ledger::EntryType::kAdminAction, LedgerOutcome::kSuccess);
  entry.agent = call.argument;
  entry.policy_rule = order->rule;
  entry.change["why"] = order->why;
  entry.change["limit"] = std::string(broker::NameOf(order->measure));
  entry.change["raised"] = static_cast<int64_t>(order->count);
  entry.change["until"] = broker::UnixSeconds(until);
  const auto receipt = ports_.minter_ports.ledger.Append(entry);
  if (!receipt) return std::unexpected(RefusalOf(receipt.error(), Reason::kLedgerUnavailable));
  budgets.Raise({call.argument, order->rule, order->measure}, order->count, until);
  [[maybe_unused]] const broker::Status kept = ports_.keep_budgets();  // else a second later
  return json{
      {"agent", call.argument}, {"seq", receipt->seq}, {"limits", BudgetRows(budgets.Of(**agent))}};
}

}  // namespace sidecar::broker_role
