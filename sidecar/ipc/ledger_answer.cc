#include "sidecar/ipc/ledger_answer.h"

#include <cstring>

namespace sidecar::ipc {

using broker::ErrorCode, broker::Fail, broker::LedgerReceipt, broker::Result;

Result<LedgerReceipt> ReceiptOf(const Ack& ack) {
  if (ack.error != 0) {
    const bool known = ack.error <= static_cast<uint8_t>(ErrorCode::kConflict);
    return Fail(known ? static_cast<ErrorCode>(ack.error) : ErrorCode::kUnavailable,
                std::string(ack.detail));
  }
  LedgerReceipt receipt{ack.seq, {}};
  std::memcpy(receipt.leaf.data(), ack.leaf.data(), receipt.leaf.size());
  return receipt;
}

std::unexpected<broker::Error> ChannelClosed() {
  return Fail(ErrorCode::kUnavailable, "ledger channel closed");
}

std::unexpected<broker::Error> NotInTime() {
  return Fail(ErrorCode::kUnavailable, "the ledger did not answer in time");
}

}  // namespace sidecar::ipc
