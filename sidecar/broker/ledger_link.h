// sidecar/broker/ledger_link.h: the broker's way to the ledger.
#pragma once
#include "broker/metrics.h"
#include "sidecar/broker/metered_ledger.h"
#include "sidecar/ipc/ledger_client.h"
#include "sidecar/ipc/system_ports.h"

namespace sidecar::broker_role {

/// Older than the store, whose changes are entries, too. Whoever writes one uses `entries`: the
/// client itself is for its channel and for questions.
struct LedgerLink {
  ipc::LedgerClient client{ipc::LedgerClient::kAckDeadline,
                           ipc::LedgerClient::Receiver::kAttendant};
  SystemClock clock;
  broker::Metrics metrics;
  MeteredLedger entries{client, clock, metrics};
};

}  // namespace sidecar::broker_role
