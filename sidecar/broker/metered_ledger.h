// sidecar/broker/metered_ledger.h: counts how long the ledger takes, and what it did not write.
#pragma once
#include <utility>

#include "broker/metrics.h"
#include "broker/ports/clock.h"
#include "broker/ports/ledger_sink.h"

namespace sidecar::broker_role {

/// Thread-safe. Borrows all.
class MeteredLedger final : public broker::LedgerSink {
 public:
  MeteredLedger(broker::LedgerSink& ledger, const broker::Clock& clock, broker::Metrics& metrics)
      : ledger_(ledger), clock_(clock), metrics_(metrics) {}

  broker::Result<broker::LedgerReceipt> Append(const broker::ledger::Entry& entry) override {
    const auto handed_over = clock_.Now();
    auto receipt = ledger_.Append(entry);
    metrics_.Appended(clock_.Now() - handed_over, receipt.has_value());
    return receipt;
  }
  void AppendThen(const broker::ledger::Entry& entry, Done done) override {
    ledger_.AppendThen(
        entry, [this, handed_over = clock_.Now(), done = std::move(done)](auto receipt) mutable {
          metrics_.Appended(clock_.Now() - handed_over, receipt.has_value());
          done(std::move(receipt));
        });
  }

 private:
  broker::LedgerSink& ledger_;
  const broker::Clock& clock_;
  broker::Metrics& metrics_;
};

}  // namespace sidecar::broker_role
