// sidecar/broker/head_keeper.h: the ledger's head, remembered in the store.
#pragma once
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "broker/base/result.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::broker_role {

/// Two folders that two processes write remember the same number: a ledger that ends before what it
/// acknowledged, or there with another entry, is noticed when the store is unsealed. One that was
/// cut and has since grown beyond the noted number is not noticed here: the entry in that place is
/// not looked up. `purser audit verify --head` looks it up, with the head from the operational log.
/// Thread-safe.
class HeadKeeper {
 public:
  // What was acknowledged since the last note can be cut unnoticed by this means; each note is a
  // commit of the store.
  static constexpr std::chrono::seconds kInterval{60};

  struct Ports {
    std::function<broker::Result<ipc::LedgerState>()> ledger;
    /// kNotFound before the first Keep().
    std::function<broker::Result<std::string>()> kept;
    std::function<broker::Status(const std::string& head)> keep;
  };
  explicit HeadKeeper(Ports ports) : ports_(std::move(ports)) {}

  /// Errors: kConflict (the ledger ends before what it acknowledged, or there with another entry) ·
  /// kCorrupt (what was noted is malformed) ·
  /// those of the ports.
  broker::Status Compare();
  /// Notes the head if it moved. Errors: those of the ports; a latched ledger's head stands still.
  broker::Status Keep();
  /// Calls Keep() every kInterval until stopped, while `usable` says that the store is open.
  void Run(const std::stop_token& stop, const std::function<bool()>& usable);

 private:
  Ports ports_;
};

}  // namespace sidecar::broker_role
