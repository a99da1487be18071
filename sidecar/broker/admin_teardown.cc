// The end of the instance, over the operator's socket.
#include <utility>

#include "broker/base/inert_text.h"
#include "sidecar/broker/admin_alive.h"
#include "sidecar/broker/admin_service.h"

namespace sidecar::broker_role {
namespace {

using broker::Reason, broker::Refuse, broker::UpstreamDeed, broker::UpstreamStep;
using broker::ledger::Entry, broker::ledger::EntryType;
using nlohmann::json;
using Outcome = AdminService::Outcome;
using LedgerOutcome = AdminService::LedgerOutcome;

// Whoever typed the command waits a minute; a registration whose secret is to be removed takes two
// requests.
constexpr std::chrono::seconds kUpstreamPatience{40};

std::expected<bool, broker::Refusal> Flag(const json& body, const char* name) {
  if (!body.contains(name)) return false;
  if (!body[name].is_boolean()) return Refuse(Reason::kWrongType);
  return body[name].get<bool>();
}

bool Removes(const UpstreamStep& step) {
  return step.deed == UpstreamDeed::kRemoveSecret || step.deed == UpstreamDeed::kRemoveKey;
}

}  // namespace

Outcome AdminService::ShowTeardown(const Call& /*call*/) {
  json body = teardown_.Show(ports_.store, SupervisorOfTeardown());
  body["instance"] = ports_.broker.config()->instance.name;
  return body;
}

Outcome AdminService::TearDown(const Call& call) {
  const auto config = ports_.broker.config();
  const auto dry_run = Flag(call.body, "dry_run");
  const auto skip = Flag(call.body, "skip_upstream");
  const auto even = Flag(call.body, "even_if_upstream_failed");
  if (!dry_run) return std::unexpected(dry_run.error());
  if (!skip) return std::unexpected(skip.error());
  if (!even) return std::unexpected(even.error());
  if (*dry_run) return Teardown::Preview(*config);
  const json why = call.body.value("why", json(""));
  const bool inert = why.is_string() && !why.get_ref<const std::string&>().empty() &&
                     broker::IsInertText(why.get_ref<const std::string&>());
  if (!inert) {
    return Refuse(Reason::kMissingField,
                  "Send why: a text of at most 200 characters without control characters.");
  }
  if (call.body.value("instance", json()) != json(config->instance.name)) {
    return Refuse(Reason::kValueOutOfRange,
                  "instance is the name of what is to be destroyed; this one has another.");
  }
  for (const auto& rotation : ports_.rotations.All()) {
    if (rotation.step == broker::RotationStep::kIdle || *even) continue;
    return Refuse(Reason::kConflict, "A rotation of " + rotation.credential +
                                         " is under way and has a second secret at Entra (" +
                                         rotation.new_key +
                                         "): wait for its end, or remove that by hand and say "
                                         "even_if_upstream_failed.");
  }
  Entry who = EntryOf(call, EntryType::kAdminAction, LedgerOutcome::kPending);
  const std::string what =
      std::string("/teardown") + (*skip ? " without Entra" : "") + (*even ? " in any case" : "");
  Entry asked = who;
  asked.outcome = LedgerOutcome::kSuccess;
  if (const auto alone = AskSecondPerson(call, what, 0, &asked)) return std::unexpected(*alone);
  if (asked.outcome == LedgerOutcome::kPending) {
    const auto receipt = ports_.minter_ports.ledger.Append(asked);
    if (!receipt) return std::unexpected(RefusalOf(receipt.error(), Reason::kLedgerUnavailable));
    return Proposed(receipt->seq);
  }
  who.change = asked.change;
  return teardown_.Run(*config, {who, why.get<std::string>(), *skip, *even},
                       PortsOfTeardown(call, who));
}

Teardown::Supervisor AdminService::SupervisorOfTeardown() const {
  return [this](const std::string& question) {
    return ports_.ask_supervisor(ipc::MessageType::kDestroyKeys, question);
  };
}

Teardown::Ports AdminService::PortsOfTeardown(const Call& call, const Entry& who) {
  return {
      .ledger = ports_.minter_ports.ledger,
      .store = ports_.store,
      .clock = ports_.minter_ports.clock,
      .stop = [this] { ports_.broker.Stop({}); },
      .upstream = [this, &call, who, until = ports_.minter_ports.clock.Now() + kUpstreamPatience](
                      const auto& steps) { return EndUpstream(call, steps, who, until); },
      .destroy =
          [this](const broker::policy::Credential& credential) {
            const auto revoked = ports_.revoked.Revoke(credential.name);
            ports_.cache.Evict(credential.name);
            std::string trouble = revoked ? std::string() : revoked.error().detail;
            json told = {{"destroyed", Destroy(credential, &trouble)}};
            if (!trouble.empty()) told["trouble"] = trouble;
            return told;
          },
      .supervisor = SupervisorOfTeardown(),
      .forget_store = ports_.forget_store,
      .alive =
          [this] {
            json alive = json::object();
            AddAlive(ports_.broker.outstanding().Of({}), &alive);
            return alive;
          }};
}

// What needs no secret at once; then each secret by itself, for it is read to be recognised.
AdminService::Json AdminService::EndUpstream(const Call& call,
                                             const std::vector<UpstreamStep>& steps,
                                             const Entry& who, broker::Clock::Steady until) {
  const auto config = ports_.broker.config();
  std::vector<UpstreamStep> plain;
  for (const UpstreamStep& step : steps) {
    if (!Removes(step)) plain.push_back(step);
  }
  const json done = upstream_.Run(*config, plain, nullptr, who);
  json results = json::array();
  size_t next = 0;
  for (const UpstreamStep& step : steps) {
    if (!Removes(step)) {
      results.push_back(done.at(next++));
      continue;
    }
    if (ports_.minter_ports.clock.Now() >= until) {
      results.push_back({{"what", broker::DeedText(step.deed)},
                         {"credential", step.credential},
                         {"target", step.target},
                         {"done", false},
                         {"detail", "not tried: Entra takes too long; repeat the command"}});
      continue;
    }
    const broker::Secret current = TakeForRemoval(call, config->credentials.at(step.credential));
    results.push_back(
        upstream_.Run(*config, {step}, current.empty() ? nullptr : &current, who).at(0));
  }
  return results;
}

}  // namespace sidecar::broker_role
