// sidecar/broker/kept_budgets.h: what agents have used up, over restarts.
#pragma once
#include <chrono>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>

#include "broker/base/result.h"
#include "broker/budgets.h"

namespace sidecar::broker_role {

/// Thread-safe. Borrows `budgets`.
class KeptBudgets {
 public:
  // What was used since the last note a crash gives back, and no more. A note is a small commit of
  // the store, and none while nobody asks.
  static constexpr std::chrono::seconds kInterval{1};

  // What requests used, what tasks used, which tokens are out.
  static constexpr const char* kUsed = "budgets";
  static constexpr const char* kTasks = "budget-tasks";
  static constexpr const char* kHeld = "budget-tokens";

  struct Ports {
    /// By name, of the three above. kNotFound before the first keep.
    std::function<broker::Result<std::string>(const char* name)> kept;
    std::function<broker::Status(const char* name, const std::string& text)> keep;
  };
  KeptBudgets(broker::Budgets& budgets, Ports ports)
      : budgets_(budgets), ports_(std::move(ports)) {}

  /// Once the store is open; later calls do nothing. Errors: those of the port.
  broker::Status Load();
  /// Notes what changed. REQUIRES: Load() has succeeded. Errors: those of the port.
  broker::Status Keep();
  /// Calls Keep() every kInterval until stopped, once Load() has succeeded.
  void Run(const std::stop_token& stop);

 private:
  broker::Status KeepOne(const char* name, const std::string& now, std::string* kept);

  broker::Budgets& budgets_;
  const Ports ports_;
  std::mutex mutex_;
  bool loaded_ = false;
  broker::Budgets::Texts kept_;
};

}  // namespace sidecar::broker_role
