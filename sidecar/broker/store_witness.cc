#include "sidecar/broker/store_witness.h"

#include <string>

namespace sidecar::broker_role {
namespace {

using broker::SecretKind, broker::Status;
using broker::ledger::Entry, broker::ledger::EntryType, broker::ledger::Outcome;

const char* NameOf(SecretKind kind) {
  switch (kind) {
    case SecretKind::kRefreshToken:
      return "refresh-token";
    case SecretKind::kClientSecret:
      return "client-secret";
    case SecretKind::kCertificate:
      return "certificate";
    case SecretKind::kInternal:
      return "internal";
  }
  return "unknown";
}

}  // namespace

Status LedgerStoreWitness::Write(Outcome outcome, uint64_t generation, const broker::SecretId& id,
                                 uint64_t version) {
  Entry entry;
  entry.type = version == 1 ? EntryType::kSecretEnrolled : EntryType::kSecretRotated;
  entry.outcome = outcome;
  entry.credential_name = id.name;
  entry.credential_kind = NameOf(id.kind);
  entry.credential_version = std::to_string(version);
  entry.change["generation"] = static_cast<int64_t>(generation);
  const auto receipt = ledger_.Append(entry);
  if (!receipt) return std::unexpected(receipt.error());
  return {};
}

Status LedgerStoreWitness::Intend(uint64_t generation, const broker::SecretId& id,
                                  uint64_t version) {
  return Write(Outcome::kPending, generation, id, version);
}

Status LedgerStoreWitness::Confirm(uint64_t generation, const broker::SecretId& id,
                                   uint64_t version) {
  return Write(Outcome::kSuccess, generation, id, version);
}

}  // namespace sidecar::broker_role
