#include "sidecar/broker/approval_counts.h"

#include <memory>
#include <optional>

#include "broker/reason.h"

namespace sidecar::broker_role {

using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::Outcome;

namespace {

// Its place in kEvents; nothing for a yes that others must follow, and for other entries.
std::optional<size_t> EventOf(const Entry& entry) {
  if (entry.type == EntryType::kApprovalRequested) return 0;
  if (entry.type == EntryType::kApprovalGranted && entry.outcome == Outcome::kSuccess) return 1;
  if (entry.type == EntryType::kApprovalDenied) return 2;
  if (entry.type != EntryType::kApprovalExpired) return std::nullopt;
  return entry.reason == broker::Describe(broker::Reason::kKilled).name ? 4 : 3;
}

}  // namespace

void ApprovalCounts::Count(const Entry& entry) {
  const auto event = EventOf(entry);
  if (!event) return;
  const std::scoped_lock lock(mutex_);
  ++counts_[*event];
}

broker::Result<broker::LedgerReceipt> ApprovalCounts::Append(const Entry& entry) {
  auto receipt = ledger_.Append(entry);
  if (receipt) Count(entry);
  return receipt;
}

void ApprovalCounts::AppendThen(const Entry& entry, Done done) {
  ledger_.AppendThen(entry, [this, entry, done = std::move(done)](auto receipt) mutable {
    if (receipt) Count(entry);
    done(std::move(receipt));
  });
}

std::array<uint64_t, ApprovalCounts::kEvents.size()> ApprovalCounts::counts() const {
  const std::scoped_lock lock(mutex_);
  return counts_;
}

}  // namespace sidecar::broker_role
