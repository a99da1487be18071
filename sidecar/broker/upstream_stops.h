// sidecar/broker/upstream_stops.h: ending at Entra what was stopped here, all of it at once.
#pragma once
#include <nlohmann/json.hpp>
#include <vector>

#include "broker/minter.h"
#include "broker/upstream_stop.h"

namespace sidecar::broker_role {

/// With the credential that [admin] upstream names. Thread-safe. Borrows what it is given.
class UpstreamStops {
 public:
  // Graph takes more at a time; a thread of the broker each.
  static constexpr size_t kAtOnce = 8;

  UpstreamStops(const broker::Minter::Ports& ports, broker::Minter& minter)
      : ports_(ports), minter_(minter) {}

  /// Carries out all steps, several at a time, each announced and reported in the ledger by copies
  /// of `who`; returns when each has its result. A step that fails holds nobody up. `current`: the
  /// secret or certificate that is to be removed; null: there is none.
  /// [{"what", "credential", "target", "done", "detail"}], in the order of the steps.
  nlohmann::json Run(const broker::policy::Config& config,
                     const std::vector<broker::UpstreamStep>& steps, const broker::Secret* current,
                     broker::ledger::Entry who);

 private:
  using Results = std::vector<broker::UpstreamResult>;
  Results CarryOutAll(const broker::policy::Config& config,
                      const std::vector<broker::UpstreamStep>& steps, const broker::Secret* current,
                      const broker::ledger::Entry& who);
  void Report(const broker::UpstreamStep& step, const broker::UpstreamResult& result,
              broker::ledger::Entry who);

  const broker::Minter::Ports& ports_;
  broker::Minter& minter_;
};

}  // namespace sidecar::broker_role
