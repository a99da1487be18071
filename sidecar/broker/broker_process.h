// sidecar/broker/broker_process.h: the broker's collaborators and its control loop.
#pragma once
#include <memory>
#include <string>
#include <vector>

namespace sidecar::broker_role {

struct BrokerOptions {
  std::string store;                    // the sealed store's file
  std::string tenant;                   // what its rows are bound to
  std::vector<std::string> off_limits;  // what this process must not be able to open
};

/// Opens the store, hardens the process, and serves until kStop or until the supervisor is gone.
/// Returns the process's exit status.
int RunBroker(const BrokerOptions& options);

}  // namespace sidecar::broker_role
