#include "sidecar/broker/kept_budgets.h"

#include <condition_variable>
#include <utility>

namespace sidecar::broker_role {

using broker::ErrorCode, broker::Fail, broker::Status;

Status KeptBudgets::Load() {
  const std::scoped_lock lock(mutex_);
  if (loaded_) return {};
  broker::Budgets::Texts texts;
  for (const auto& [name, text] :
       {std::pair{kUsed, &texts.used}, {kTasks, &texts.tasks}, {kHeld, &texts.held}}) {
    auto kept = ports_.kept(name);
    if (!kept && kept.error().code != ErrorCode::kNotFound) return std::unexpected(kept.error());
    if (kept) *text = std::move(*kept);
  }
  // Texts that were sealed are ours; what cannot be read all the same stops nobody.
  [[maybe_unused]] const Status restored = budgets_.Restore(texts);
  loaded_ = true;
  return {};
}

Status KeptBudgets::KeepOne(const char* name, const std::string& now, std::string* kept) {
  if (now == *kept) return {};
  const Status done = ports_.keep(name, now);
  if (done) *kept = now;
  return done;
}

Status KeptBudgets::Keep() {
  const std::scoped_lock lock(mutex_);
  if (!loaded_) return Fail(ErrorCode::kUnavailable, "the store is sealed");
  const broker::Budgets::Texts now = budgets_.Kept();
  if (Status done = KeepOne(kUsed, now.used, &kept_.used); !done) return done;
  if (Status done = KeepOne(kTasks, now.tasks, &kept_.tasks); !done) return done;
  return KeepOne(kHeld, now.held, &kept_.held);
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
