#include "sidecar/broker/upstream_stops.h"

#include <atomic>
#include <system_error>
#include <thread>
#include <utility>

namespace sidecar::broker_role {
namespace {

using broker::UpstreamResult, broker::UpstreamStep;
using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::Outcome;
using nlohmann::json;
using Results = std::vector<UpstreamResult>;

constexpr const char* kNobody =
    "[admin] upstream names no credential: write upstream = \"NAME\", one whose registration may "
    "do "
    "this at Microsoft Graph";

Results AllFailed(size_t count, const std::string& why) {
  return Results(count, UpstreamResult{false, why});
}

}  // namespace

json UpstreamStops::Run(const broker::policy::Config& config,
                        const std::vector<UpstreamStep>& steps, const broker::Secret* current,
                        Entry who) {
  if (steps.empty()) return json::array();
  who.type = EntryType::kAdminAction;
  who.target_kind = "upstream";
  const Results results = CarryOutAll(config, steps, current, who);
  json shown = json::array();
  for (size_t i = 0; i < steps.size(); ++i) {
    Report(steps[i], results[i], who);
    shown.push_back({{"what", broker::DeedText(steps[i].deed)},
                     {"credential", steps[i].credential},
                     {"target", steps[i].target},
                     {"done", results[i].done},
                     {"detail", results[i].detail}});
  }
  return shown;
}

Results UpstreamStops::CarryOutAll(const broker::policy::Config& config,
                                   const std::vector<UpstreamStep>& steps,
                                   const broker::Secret* current, const Entry& who) {
  const auto credential = config.credentials.find(config.admin.upstream);
  if (credential == config.credentials.end()) return AllFailed(steps.size(), kNobody);
  Entry intent = who;
  intent.outcome = Outcome::kPending;
  intent.change["steps"] = static_cast<int64_t>(steps.size());
  if (const auto told = ports_.ledger.Append(intent); !told) {
    return AllFailed(steps.size(), "the ledger cannot be written: " + told.error().detail);
  }
  broker::GraphClient graph(ports_.http, minter_, ports_.clock);
  Entry access;
  access.caller = who.caller;
  access.request_id = who.request_id;
  const auto token = graph.Token(config, credential->second, std::move(access));
  if (!token) return AllFailed(steps.size(), token.error().detail);

  Results results = AllFailed(steps.size(), "not tried: out of memory");
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < steps.size(); i = next++) {
      try {
        results[i] = broker::CarryOut(graph, ports_.clock, config, *token, steps[i], current);
      } catch (const std::bad_alloc&) {
        continue;  // as it stands
      }
    }
  };
  std::vector<std::jthread> helpers;
  try {
    while (helpers.size() + 1 < std::min(steps.size(), kAtOnce)) helpers.emplace_back(work);
  } catch (const std::system_error&) {
    // Without more threads those that there are do it all.
  }
  work();
  helpers.clear();  // waits for each
  return results;
}

void UpstreamStops::Report(const UpstreamStep& step, const UpstreamResult& result, Entry who) {
  who.outcome = result.done ? Outcome::kSuccess : Outcome::kFailure;
  if (!result.done) who.reason = broker::Describe(broker::Reason::kUpstreamRejected).name;
  who.target_id = std::string(broker::DeedText(step.deed)) + " " + step.target;
  who.credential_name = step.credential;
  [[maybe_unused]] const auto noted = ports_.ledger.Append(who);
}

}  // namespace sidecar::broker_role
