// sidecar/broker/teardown.h: the end of an instance, step by step.
#pragma once
#include <atomic>
#include <expected>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "broker/ledger/entry.h"
#include "broker/ports/clock.h"
#include "broker/ports/ledger_sink.h"
#include "broker/ports/sealed_store.h"
#include "broker/reason.h"
#include "broker/teardown_plan.h"

namespace sidecar::broker_role {

/// Stop · Entra · the secrets in the store · the keys and the store · the last entry. Each step is
/// announced in the ledger before its effect, and is done again by the next run where a crash cut
/// it short; what Entra did stands in the store until that is destroyed. From there on purserd
/// finishes what this process could not. That one was begun stands with purserd, outside the store:
/// nothing goes on again from then on, unless that is taken away by hand; the next one is then
/// another, and does all anew. Thread-safe: one at a time.
class Teardown {
 public:
  using Json = nlohmann::json;
  using Outcome = std::expected<Json, broker::Refusal>;
  /// A question to purserd, and its answer (IPC.md).
  using Supervisor = std::function<broker::Result<std::string>(const std::string& question)>;

  struct Ports {
    broker::LedgerSink& ledger;
    broker::SealedStore& store;
    const broker::Clock& clock;
    std::function<void()> stop;  // all agents, from now on; what is pending ends
    /// A result each: {"what","credential","target","done","detail"}.
    std::function<Json(const std::vector<broker::UpstreamStep>&)> upstream;
    /// The credential serves nobody any more, and its secrets in the store are overwritten.
    std::function<Json(const broker::policy::Credential&)> destroy;
    Supervisor supervisor;
    std::function<std::string()> forget_store;  // drops the keys; says what reading gives then
    std::function<Json()> alive;                // tokens that are outside
  };
  struct Order {
    broker::ledger::Entry who;  // copied into each entry
    std::string why;
    bool skip_upstream = false;
    bool even_if_upstream_failed = false;
  };

  /// {"torn_down":bool,"stage","report",…}: not torn down where Entra did not do all and the order
  /// does not say to go on. Refuses kConflict (one is under way), kLedgerUnavailable (nothing that
  /// comes after it was done), kRestarting (purserd did not note it, or did not destroy).
  Outcome Run(const broker::policy::Config& config, const Order& order, Ports ports);
  /// For whoever lets something go on again, from before it is asked until that is recorded: none
  /// begins meanwhile. Refuses kConflict (one was begun), kRestarting (purserd does not say).
  class Gate {
   public:
    Gate(Teardown& teardown, const Supervisor& supervisor);
    /// Nothing: it may.
    [[nodiscard]] const std::optional<broker::Refusal>& refusal() const { return refusal_; }

   private:
    std::shared_lock<std::shared_mutex> held_;
    std::optional<broker::Refusal> refusal_;
  };
  /// What it would do, in sentences. Pure.
  static Json Preview(const broker::policy::Config& config);
  /// How far it came: {"state":"none"|"begun"|"destroyed",…}, "unknown" where purserd does not say.
  Json Show(broker::SealedStore& store, const Supervisor& supervisor) const;

 private:
  std::mutex turn_;
  std::shared_mutex gate_;  // alone: one begins
  std::atomic<bool> destroyed_ = false;
};

}  // namespace sidecar::broker_role
