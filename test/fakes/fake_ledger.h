#pragma once
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "broker/ports/ledger_sink.h"

/// Keeps entries in memory; fails on demand. Thread-safe.
class FakeLedger final : public broker::LedgerSink {
 public:
  broker::Result<broker::LedgerReceipt> Append(const broker::ledger::Entry& entry) override {
    const std::scoped_lock lock(mutex_);
    if (fail_with) return broker::Fail(*fail_with, "fake");
    if (refuses && refuses(entry)) return broker::Fail(broker::ErrorCode::kInvalidRequest, "fake");
    entries.push_back(entry);
    return broker::LedgerReceipt{entries.size(), {}};
  }
  void AppendThen(const broker::ledger::Entry& entry, Done done) override {
    if (!holds) return done(Append(entry));
    held_.emplace_back(entry, std::move(done));
  }
  /// What was held becomes durable, in order.
  void LetGo() {
    for (auto& [entry, done] : std::exchange(held_, {})) done(Append(entry));
  }

  bool holds = false;  // AppendThen waits for LetGo; not thread-safe
  std::optional<broker::ErrorCode> fail_with;
  std::function<bool(const broker::ledger::Entry&)> refuses;  // as what no line can hold
  std::vector<broker::ledger::Entry> entries;  // oldest first; read it when no call is under way

 private:
  std::mutex mutex_;
  std::vector<std::pair<broker::ledger::Entry, Done>> held_;
};
