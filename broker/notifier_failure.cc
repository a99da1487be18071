#include "broker/notifier_failure.h"

#include "broker/policy/config_values.h"

namespace broker {
namespace {

using graph::Fault;

Reason ReasonOf(Fault fault) {
  switch (fault) {
    case Fault::kNoToken:
      return Reason::kCredentialUnavailable;
    case Fault::kThrottled:
      return Reason::kUpstreamThrottled;
    case Fault::kUnavailable:
      return Reason::kUpstreamUnavailable;
    case Fault::kInvalid:
      return Reason::kUpstreamInvalid;
    case Fault::kMissingPermission:
    case Fault::kNotFound:
    case Fault::kRefused:
      break;
  }
  return Reason::kUpstreamRejected;
}

}  // namespace

NotifierFailure FailureOf(const graph::GraphError& error) {
  const bool passes = error.fault == Fault::kThrottled || error.fault == Fault::kUnavailable;
  return {.reason = ReasonOf(error.fault),
          .why = error.detail,
          .again = passes,
          .retry_after = error.retry_after};
}

void RecordFailure(LedgerSink& sink, const Log* log, const policy::Config& config,
                   const std::string& notifier, ledger::Entry about,
                   const NotifierFailure& failure) {
  about.type = ledger::EntryType::kNotifierFailed;
  about.outcome = ledger::Outcome::kFailure;
  about.reason = Describe(failure.reason).name;
  about.target_kind = "notifier";
  about.target_id = notifier;
  about.policy_sha256 = config.sha256;
  about.upstream_status = failure.status;
  const auto found = config.notifiers.find(notifier);
  if (found != config.notifiers.end()) {
    about.credential_name = found->second.credential;
    if (failure.status > 0) about.upstream_host = policy::HostAndPort(found->second.host);
  }
  [[maybe_unused]] const auto told = sink.Append(about);
  if (log == nullptr) return;
  log->Warn("notifier_failed", {{"notifier", notifier},
                                {"reason", about.reason},
                                {"why", failure.why},
                                {"remedy", "purser approvals lists what waits"}});
}

}  // namespace broker
