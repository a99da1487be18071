// broker/notifier_failure.h: what kept purser from telling people elsewhere, or from hearing them.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "broker/base/log.h"
#include "broker/graph/graph_error.h"
#include "broker/ledger/entry.h"
#include "broker/policy/config.h"
#include "broker/ports/ledger_sink.h"
#include "broker/reason.h"

namespace broker {

struct NotifierFailure {
  Reason reason = Reason::kUpstreamUnavailable;
  std::string why;  // for the log: no address, no secret
  int status = 0;
  bool again = false;  // may be tried once more
  std::optional<std::chrono::seconds> retry_after = {};
};

NotifierFailure FailureOf(const graph::GraphError& error);

/// Writes `notifier.failed` and a line of the log. `about` has what it was about: agent, approval,
/// counts. `log` may be null.
void RecordFailure(LedgerSink& sink, const Log* log, const policy::Config& config,
                   const std::string& notifier, ledger::Entry about,
                   const NotifierFailure& failure);

}  // namespace broker
