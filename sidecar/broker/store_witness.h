// sidecar/broker/store_witness.h: the store's generations, told to the ledger.
#pragma once
#include "broker/ports/ledger_sink.h"
#include "broker/ports/sealed_store.h"

namespace sidecar::broker_role {

/// secret.enrolled (version 1) or secret.rotated entries: `pending` before a commit of the store,
/// `success` behind it, with the generation in `change`. Thread-safe. Borrows `ledger`.
class LedgerStoreWitness final : public broker::StoreWitness {
 public:
  explicit LedgerStoreWitness(broker::LedgerSink& ledger) : ledger_(ledger) {}
  broker::Status Intend(uint64_t generation, const broker::SecretId& id, uint64_t version) override;
  broker::Status Confirm(uint64_t generation, const broker::SecretId& id,
                         uint64_t version) override;

 private:
  broker::Status Write(broker::ledger::Outcome outcome, uint64_t generation,
                       const broker::SecretId& id, uint64_t version);
  broker::LedgerSink& ledger_;
};

}  // namespace sidecar::broker_role
