// sidecar/broker/fingerprint_key.h: the key of the fingerprints that the ledger has of tokens.
#pragma once
#include <mutex>

#include "broker/base/secret.h"
#include "broker/minter.h"
#include "broker/ports/random.h"
#include "broker/ports/sealed_store.h"

namespace sidecar::broker_role {

/// Made once for each store and kept in it, so that one token has one fingerprint for as long as
/// the ledger is read. Thread-safe. Borrows `store` and `random`.
class FingerprintKey {
 public:
  FingerprintKey(broker::SealedStore& store, broker::Random& random)
      : store_(store), random_(random) {}

  /// Reads it, or makes it, unless that was done. REQUIRES: the store is open. Errors: those of the
  /// store; kCorrupt (the store has one of another length).
  broker::Status Load();
  /// Stays in its place: threads that mint hold a reference to it. Zeroes before the first Load().
  [[nodiscard]] const broker::Secret& value() const { return value_; }

 private:
  broker::SealedStore& store_;
  broker::Random& random_;
  std::mutex mutex_;
  bool loaded_ = false;
  broker::Secret value_ = broker::Secret::Allocate(broker::Minter::kFingerprintKeyBytes);
};

}  // namespace sidecar::broker_role
