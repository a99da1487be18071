#pragma once
#include <mutex>
#include <optional>

#include "broker/ports/sealed_store.h"

/// A StoreWitness that remembers what the ledger would. Thread-safe.
class FakeWitness final : public broker::StoreWitness {
 public:
  broker::Status Intend(uint64_t generation, const broker::SecretId&, uint64_t) override {
    const std::scoped_lock lock(mutex_);
    if (refuse_from && generation >= *refuse_from)
      return broker::Fail(broker::ErrorCode::kUnavailable, "fake");
    if (fail_intend) return broker::Fail(*fail_intend, "fake");
    intended_ = generation;
    return {};
  }
  broker::Status Confirm(uint64_t generation, const broker::SecretId&, uint64_t) override {
    const std::scoped_lock lock(mutex_);
    if (fail_confirm) return broker::Fail(*fail_confirm, "fake");
    confirmed_ = generation;
    return {};
  }
  [[nodiscard]] uint64_t intended() const {
    const std::scoped_lock lock(mutex_);
    return intended_;
  }
  [[nodiscard]] uint64_t confirmed() const {
    const std::scoped_lock lock(mutex_);
    return confirmed_;
  }
  std::optional<broker::ErrorCode> fail_intend, fail_confirm;
  std::optional<uint64_t> refuse_from;  // the generation from which on intents are refused

 private:
  mutable std::mutex mutex_;
  uint64_t intended_ = 0;
  uint64_t confirmed_ = 0;
};
