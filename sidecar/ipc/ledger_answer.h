// sidecar/ipc/ledger_answer.h: what an acknowledgement, or none, is to whoever appended.
#pragma once
#include <chrono>

#include "broker/ports/ledger_sink.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::ipc {

using Deadline = std::chrono::steady_clock::time_point;

/// The receipt, or the ledger's error; a code that is not known here is kUnavailable.
broker::Result<broker::LedgerReceipt> ReceiptOf(const Ack& ack);

/// kUnavailable: nobody answers on this channel any more.
std::unexpected<broker::Error> ChannelClosed();
/// kUnavailable: the deadline has passed.
std::unexpected<broker::Error> NotInTime();

}  // namespace sidecar::ipc
