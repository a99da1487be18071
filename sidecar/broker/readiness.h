// sidecar/broker/readiness.h: whether purser can serve, looked at once for all who ask.
#pragma once
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sidecar/broker/workers.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {

/// What /readyz says: ledger, store and seal usable; upstream trouble only degrades.
struct Readiness {
  std::vector<std::string> missing;             // "ledger: latched, sync failed: EIO"
  std::vector<std::string> degraded;            // "credential aid-mail: login_required since …"
  std::optional<ipc::LedgerState> ledger = {};  // absent: it could not be asked
  std::vector<std::string> explained = {};      // degraded, with what is known of it: for operators
};

/// Single-flight: a look asks the ledger and may wait for it. Those who ask while one is under way
/// get its answer, so that any number of them cost one thread and one question. Thread-safe.
class SharedReadiness {
 public:
  using Look = std::function<Readiness()>;
  using Start = std::function<bool(Workers::Job)>;  // false: there is no thread
  using Done = std::move_only_function<void(const Readiness&)>;

  SharedReadiness(Look look, Start start) : look_(std::move(look)), start_(std::move(start)) {}

  /// Never waits. `done` runs on the thread of the look, or is dropped if the look throws. False,
  /// and `done` is dropped, when no look is under way and none can be started.
  bool Ask(Done done);

 private:
  void LookOnce();
  std::vector<Done> TakeAsking();

  const Look look_;
  const Start start_;
  std::mutex mutex_;
  bool under_way_ = false;
  std::vector<Done> asking_;  // while one is under way
};

}  // namespace sidecar::broker_role
