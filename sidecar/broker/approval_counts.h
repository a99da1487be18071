// sidecar/broker/approval_counts.h: how approvals ended, for monitoring.
#pragma once
#include <array>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <utility>

#include "broker/ports/ledger_sink.h"

namespace sidecar::broker_role {

/// The ledger of Approvals, which counts what became durable: since the process began. Thread-safe.
/// Borrows `ledger`.
class ApprovalCounts final : public broker::LedgerSink {
 public:
  explicit ApprovalCounts(broker::LedgerSink& ledger) : ledger_(ledger) {}

  broker::Result<broker::LedgerReceipt> Append(const broker::ledger::Entry& entry) override;
  void AppendThen(const broker::ledger::Entry& entry, Done done) override;

  // requested · granted (with the last yes that was needed) · denied · expired · ended by a stop
  static constexpr std::array<std::string_view, 5> kEvents{"requested", "granted", "denied",
                                                           "expired", "stopped"};
  /// In the order of kEvents.
  [[nodiscard]] std::array<uint64_t, kEvents.size()> counts() const;

 private:
  void Count(const broker::ledger::Entry& entry);

  broker::LedgerSink& ledger_;
  mutable std::mutex mutex_;
  std::array<uint64_t, kEvents.size()> counts_{};
};

}  // namespace sidecar::broker_role
