#include "sidecar/broker/kept_budgets.h"

#include <condition_variable>

namespace sidecar::broker_role {

using broker::ErrorCode, broker::Fail, broker::Status;

Status KeptBudgets::Load() {
  const std::scoped_lock lock(mutex_);
  if (loaded_) return {};
  auto kept = ports_.kept();
  if (!kept && kept.error().code != ErrorCode::kNotFound) return std::unexpected(kept.error());
  // A text that was sealed is one of ours; what cannot be read all the same stops nobody.
  if (kept) [[maybe_unused]]
    const Status restored = budgets_.Restore(*kept);
  loaded_ = true;
  return {};
}

Status KeptBudgets::Keep() {
  const std::scoped_lock lock(mutex_);
  if (!loaded_) return Fail(ErrorCode::kUnavailable, "the store is sealed");
  std::string now = budgets_.Kept();
  if (now == kept_) return {};
  const Status done = ports_.keep(now);
  if (done) kept_ = std::move(now);
  return done;
}

void KeptBudgets::Run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  while (!never.wait_for(lock, stop, kInterval, [&] { return stop.stop_requested(); })) {
    [[maybe_unused]] const Status kept = Keep();  // else a second later
    if (stop.stop_requested()) return;
  }
}

}  // namespace sidecar::broker_role
