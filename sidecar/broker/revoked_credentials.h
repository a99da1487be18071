// sidecar/broker/revoked_credentials.h: which credentials are revoked, over restarts.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>

#include "broker/ports/sealed_store.h"
#include "broker/revocations.h"

namespace sidecar::broker_role {

/// Keeps the names in the store, as an internal secret: an older store put back is noticed as for
/// every other. Thread-safe. Borrows both.
class RevokedCredentials {
 public:
  RevokedCredentials(broker::SealedStore& store, broker::Revocations& revocations)
      : store_(store), revocations_(revocations) {}

  /// Once the store is open, before anything is served. Errors: the store's.
  broker::Status Load();
  /// Works when it returns, and over restarts unless there is an error (the store's; one that
  /// opens later is told then).
  broker::Status Revoke(const std::string& credential);
  /// Counts what was revoked since this process began.
  [[nodiscard]] uint64_t times();
  /// Stored first: with an error it stays revoked. Does nothing where it is not. kConflict where
  /// something was revoked since `seen` was counted: what was begun before it lifts nothing.
  broker::Status Lift(const std::string& credential, uint64_t seen);

 private:
  broker::Status Store(const std::set<std::string>& names);

  broker::SealedStore& store_;
  broker::Revocations& revocations_;
  std::mutex mutex_;
  uint64_t times_ = 0;
  bool loaded_ = false;  // what is stored is known, and may be replaced
};

}  // namespace sidecar::broker_role
