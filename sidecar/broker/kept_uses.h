// sidecar/broker/kept_uses.h: what is known of the credentials' ends, over restarts.
#pragma once
#include <mutex>
#include <string>

#include "broker/credential_uses.h"
#include "broker/ports/sealed_store.h"

namespace sidecar::broker_role {

/// One row of the store holds it, beside the secrets that it is about. Thread-safe. Borrows both.
class KeptUses {
 public:
  KeptUses(broker::SealedStore& store, broker::CredentialUses& uses) : store_(store), uses_(uses) {}

  /// Once the store is open; later calls do nothing. A text that cannot be read is as none: each
  /// use teaches it anew. Errors: those of the store.
  broker::Status Load();
  /// Stores it if it is another than was stored last. REQUIRES: Load() has succeeded. Errors: those
  /// of the store.
  broker::Status Keep();

 private:
  broker::SealedStore& store_;
  broker::CredentialUses& uses_;
  std::mutex mutex_;
  bool loaded_ = false;
  std::string kept_;
};

}  // namespace sidecar::broker_role
