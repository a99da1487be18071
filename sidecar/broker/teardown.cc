#include "sidecar/broker/teardown.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "broker/base/strict_json.h"
#include "broker/ledger/leaf.h"

namespace sidecar::broker_role {
namespace {

using broker::Reason, broker::Refuse, broker::Secret, broker::UpstreamStep;
using broker::ledger::Entry, broker::ledger::EntryType;
using broker::policy::Config;
using nlohmann::json;
using LedgerOutcome = broker::ledger::Outcome;
using Outcome = Teardown::Outcome;

const broker::SecretId kJournal{"teardown", broker::SecretKind::kInternal};

std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool Done(const json& result) { return result.value("done", false); }
bool AllDone(const json& results) { return std::ranges::all_of(results, Done); }

bool IsOf(const json& result, const UpstreamStep& step) {
  return result.value("what", "") == broker::DeedText(step.deed) &&
         result.value("target", "") == step.target &&
         result.value("credential", "") == step.credential;
}

json NotTried(const UpstreamStep& step, const char* why) {
  return {{"what", broker::DeedText(step.deed)},
          {"credential", step.credential},
          {"target", step.target},
          {"done", false},
          {"detail", why}};
}

// As purserd notes it.
broker::Result<bool> IsBegun(const Teardown::Supervisor& supervisor) {
  const auto told = supervisor(Dump({{"step", "look"}}));
  if (!told) return std::unexpected(told.error());
  const auto answer = broker::ParseStrictJson(*told);
  const json begun = answer && answer->is_object() ? answer->value("begun", json()) : json();
  if (begun.is_boolean()) return begun.get<bool>();
  return broker::Fail(broker::ErrorCode::kUnavailable, "purserd does not say");
}

json ReadJournal(broker::SealedStore& store) {
  const auto kept = store.Get(kJournal);
  if (!kept) return json::object();
  auto parsed = broker::ParseStrictJson(kept->value.Expose(broker::Exit::kOwnRecord));
  return parsed && parsed->is_object() ? std::move(*parsed) : json::object();
}

/// One run, from top to bottom.
class OneRun {
 public:
  OneRun(const Config& config, const Teardown::Order& order, Teardown::Ports ports,
         std::shared_mutex& gate)
      : config_(config), order_(order), ports_(std::move(ports)), gate_(gate) {}

  Outcome Go() {
    if (auto stopped = Stop(); !stopped) return stopped;
    const broker::TeardownPlan plan = broker::PlanTeardown(config_);
    if (!order_.skip_upstream) EndAtEntra(plan);
    const bool whole = !order_.skip_upstream && AllDone(results_);
    json report = Report(plan);
    if (!whole && !order_.skip_upstream && !order_.even_if_upstream_failed) {
      return json{{"torn_down", false}, {"stage", "upstream"}, {"report", std::move(report)}};
    }
    if (auto destroyed = DestroySecrets(&report); !destroyed) return destroyed;
    return DestroyKeysAndClose(std::move(report));
  }

 private:
  // The switch works at once; no step follows that the ledger does not know of.
  Outcome Stop() {
    ports_.stop();
    if (auto told = Announce("stop"); !told) return told;
    if (auto noted = Begin(); !noted) return noted;
    Entry kill = order_.who;
    kill.type = EntryType::kKillEngaged;
    kill.outcome = LedgerOutcome::kSuccess;
    kill.change["by"] = std::string("teardown");
    const auto killed = ports_.ledger.Append(kill);
    if (!killed) return Refuse(Reason::kLedgerUnavailable, killed.error().detail + ".");
    // Of one that was given up since nothing is known: what it removed may be there again.
    if (again_) memory_ = ReadJournal(ports_.store);
    if (!memory_.contains("began")) memory_["began"] = Now();
    if (!again_) Keep();
    return json();
  }

  // Before the kill's entry: what is released after this is refused, and what was before it, that
  // entry takes back.
  Outcome Begin() {
    const std::unique_lock alone(gate_);
    const auto told = ports_.supervisor(Dump({{"step", "begin"}}));
    if (!told) return Refuse(Reason::kRestarting, "purserd: " + told.error().detail + ".");
    const auto answer = broker::ParseStrictJson(*told);
    const json again = answer && answer->is_object() ? answer->value("again", json()) : json();
    if (again.is_boolean()) {
      again_ = again.get<bool>();
      return json();
    }
    const std::string why = answer && answer->is_object() ? answer->value("error", "") : "";
    return Refuse(Reason::kRestarting, "purserd did not note that it begins: " + why + ".");
  }

  Outcome Announce(const char* step) {
    Entry entry = order_.who;
    entry.type = EntryType::kAdminAction;
    entry.outcome = LedgerOutcome::kPending;
    entry.target_kind = "teardown";
    entry.change["step"] = std::string(step);
    const auto told = ports_.ledger.Append(entry);
    if (!told) return Refuse(Reason::kLedgerUnavailable, told.error().detail + ".");
    return json();
  }

  void EndAtEntra(const broker::TeardownPlan& plan) {
    results_ = TakeUp(plan.first);
    Keep();
    if (!AllDone(results_) && !order_.even_if_upstream_failed) {
      for (const UpstreamStep& step : plan.own) {
        results_.push_back(NotTried(step, "not tried: it is what the rest is done with"));
      }
      return;
    }
    if (plan.own.empty()) return;
    // What was sent may be done, and then nobody can ask any more.
    const bool sent_before = std::exchange(memory_["own_sent"], true) == json(true);
    Keep();
    for (json& result : TakeUp(plan.own)) {
      if (sent_before && !Done(result)) {
        result["detail"] =
            "was sent before purser-broker ended, and cannot be asked again: look "
            "at Entra. Now: " +
            result.value("detail", "");
      }
      results_.push_back(std::move(result));
    }
    Keep();
  }

  // What an earlier run saw done is not done again.
  json TakeUp(const std::vector<UpstreamStep>& steps) {
    std::vector<UpstreamStep> open;
    for (const UpstreamStep& step : steps) {
      if (Known(step).is_null()) open.push_back(step);
    }
    json fresh = open.empty() ? json::array() : ports_.upstream(open);
    json all = json::array();
    size_t next = 0;
    for (const UpstreamStep& step : steps) {
      json known = Known(step);
      all.push_back(known.is_null() ? std::move(fresh.at(next++)) : std::move(known));
    }
    return all;
  }

  json Known(const UpstreamStep& step) const {
    for (const json& result : memory_.value("upstream", json::array())) {
      if (Done(result) && IsOf(result, step)) return result;
    }
    return {};
  }

  // Without it, a run after a crash asks Entra again: all deeds may be repeated.
  void Keep() {
    json known = memory_.value("upstream", json::array());
    for (const json& result : results_) {
      if (Done(result) && std::ranges::find(known, result) == known.end()) known.push_back(result);
    }
    memory_["upstream"] = std::move(known);
    [[maybe_unused]] const auto kept =
        ports_.store.Put(kJournal, Secret::CopyOf(Dump(memory_)), std::nullopt);
  }

  Outcome DestroySecrets(json* report) {
    if (auto told = Announce("destroy"); !told) return told;
    json& credentials = (*report)["credentials"] = json::array();
    for (const auto& [name, credential] : config_.credentials) {
      json one = ports_.destroy(credential);
      one["name"] = name;
      one["kind"] = credential.kind;
      if (!credential.vault.empty()) {
        one["by_hand"] =
            "its secret is still in vault " + credential.vault + ", which is not purser's to empty";
      }
      if (credential.kind == "webhook-url") {
        one["by_hand"] = "its address still takes messages: remove the workflow in Teams";
      }
      credentials.push_back(std::move(one));
    }
    return json();
  }

  Outcome DestroyKeysAndClose(json report) {
    const auto told = ports_.supervisor(Dump({{"step", "destroy"}, {"report", report}}));
    if (!told) return Refuse(Reason::kRestarting, "purserd: " + told.error().detail + ".");
    auto answer = broker::ParseStrictJson(*told);
    if (!answer || !answer->is_object() || answer->contains("error")) {
      const std::string why = answer && answer->is_object() ? answer->value("error", "") : "";
      return Refuse(Reason::kRestarting, "The keys were not destroyed: " + why + ".");
    }
    json unreadable = answer->value("unreadable", json::array());
    unreadable.push_back("the store that purser-broker has open: " + ports_.forget_store());
    Entry last = order_.who;
    last.type = EntryType::kInstanceTornDown;
    last.outcome = LedgerOutcome::kSuccess;
    last.target_kind = "teardown";
    last.change["report_sha256"] = broker::ledger::Sha256Hex(Dump(report));
    const auto receipt = ports_.ledger.Append(last);
    json body = {{"torn_down", receipt.has_value()},
                 {"stage", receipt ? "closed" : "ledger"},
                 {"report", std::move(report)},
                 {"destroyed", answer->value("destroyed", json::array())},
                 {"unreadable", std::move(unreadable)}};
    if (!receipt) {
      body["trouble"] = "the ledger did not take its last entry: " + receipt.error().detail +
                        ". Mend it, then start purserd again: it finishes";
      return body;
    }
    body["ledger"] = {{"seq", receipt->seq}, {"leaf", broker::ledger::LeafHex(receipt->leaf)}};
    const auto closed = ports_.supervisor(Dump({{"step", "close"}, {"ledger", body["ledger"]}}));
    if (!closed) body["trouble"] = "purserd did not note the end: start it once more, it finishes";
    return body;
  }

  json Report(const broker::TeardownPlan& plan) const {
    json agents = json::array();
    for (const auto& [name, agent] : config_.agents) {
      std::set<std::string> used;
      for (const auto& rule : agent.rules) used.insert(rule.credential);
      agents.push_back({{"name", name}, {"credentials", used}});
    }
    json report = {{"v", 1},
                   {"instance", config_.instance.name},
                   {"tenant", config_.tenant.id},
                   {"began", memory_.value("began", int64_t{0})},
                   {"time", Now()},
                   {"why", order_.why},
                   {"agents", std::move(agents)},
                   {"upstream", results_},
                   {"upstream_skipped", order_.skip_upstream},
                   {"left", plan.left},
                   {"seal", config_.seal.kind}};
    if (order_.who.caller) {
      report["by"] = {{"uid", order_.who.caller->uid}};
      if (order_.who.caller->loginuid) report["by"]["loginuid"] = *order_.who.caller->loginuid;
    }
    if (!order_.who.user_oid.empty()) report["by"]["oid"] = order_.who.user_oid;
    report.update(ports_.alive());
    return report;
  }

  [[nodiscard]] int64_t Now() const {
    const auto now = ports_.clock.WallNow().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now).count();
  }

  const Config& config_;
  const Teardown::Order& order_;
  const Teardown::Ports ports_;
  std::shared_mutex& gate_;
  bool again_ = false;  // it was begun before
  json memory_ = json::object();
  json results_ = json::array();
};

}  // namespace

Outcome Teardown::Run(const Config& config, const Order& order, Ports ports) {
  const std::unique_lock turn(turn_, std::try_to_lock);
  if (!turn) return Refuse(Reason::kConflict, "A teardown is under way.");
  ports.forget_store = [this, forget = std::move(ports.forget_store)] {
    destroyed_ = true;
    return forget();
  };
  return OneRun(config, order, std::move(ports), gate_).Go();
}

Teardown::Gate::Gate(Teardown& teardown, const Supervisor& supervisor) : held_(teardown.gate_) {
  const auto begun = IsBegun(supervisor);
  if (begun && !*begun) return;
  if (begun) {
    refusal_ = {Reason::kConflict,
                "A teardown of this instance was begun: nothing goes on again. `purser teardown` "
                "finishes it.",
                {},
                {}};
    return;
  }
  refusal_ = {Reason::kRestarting,
              "Whether a teardown was begun is not known: " + begun.error().detail + ".",
              {},
              {}};
}

json Teardown::Preview(const Config& config) {
  const broker::TeardownPlan plan = broker::PlanTeardown(config);
  json would = json::array({"stop all agents, and end what waits for a person"});
  for (const auto* steps : {&plan.first, &plan.own}) {
    for (const UpstreamStep& step : *steps) {
      would.push_back("at Entra: " + std::string(broker::DeedText(step.deed)) + " " + step.target +
                      " (" + step.credential + ")");
    }
  }
  for (const auto& [name, credential] : config.credentials) {
    would.push_back(credential.vault.empty()
                        ? "destroy what purser's store has of " + name
                        : "leave the secret of " + name + " in vault " + credential.vault);
  }
  would.push_back(config.seal.kind == "file"
                      ? "overwrite and remove the key file " + config.seal.path
                      : "leave the key of [seal] kind \"" + config.seal.kind +
                            "\" to you: the report says what to do");
  would.push_back("overwrite and remove the store below " + config.paths.state);
  would.push_back("close the ledger with a last entry, and keep it; purserd ends");
  return {
      {"dry_run", true}, {"instance", config.instance.name}, {"would", would}, {"left", plan.left}};
}

json Teardown::Show(broker::SealedStore& store, const Supervisor& supervisor) const {
  if (destroyed_) return {{"state", "destroyed"}};
  const auto begun = IsBegun(supervisor);
  if (!begun) return {{"state", "unknown"}, {"detail", begun.error().detail}};
  if (!*begun) return {{"state", "none"}};
  json told = {{"state", "begun"}};
  const json memory = ReadJournal(store);
  for (const char* name : {"began", "upstream"}) {
    if (memory.contains(name)) told[name] = memory[name];
  }
  return told;
}

}  // namespace sidecar::broker_role
