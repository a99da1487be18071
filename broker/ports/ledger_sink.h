// broker/ports/ledger_sink.h: where events are made durable before anything is released.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <utility>

#include "broker/base/result.h"
#include "broker/ledger/entry.h"

namespace broker {

struct LedgerReceipt {
  uint64_t seq = 0;                  // 0: this refusal was counted, not written by itself
  std::array<uint8_t, 32> leaf{};    // RFC 6962 leaf hash of the line
};

/// Thread-safe.
class LedgerSink {
 public:
  using Done = std::move_only_function<void(Result<LedgerReceipt>)>;

  virtual ~LedgerSink() = default;
  /// Blocks until the entry is durable.
  /// Errors: kUnavailable (latched, full, the ledger process is gone: release nothing) · kDenied (a
  /// kill.engaged entry for this agent comes before: release nothing) · kInvalidRequest (the entry
  /// is over 16 KiB or malformed).
  virtual Result<LedgerReceipt> Append(const ledger::Entry& entry) = 0;

  /// As Append, without a thread that waits: `done` is called once, with what Append would return,
  /// now or later, on a thread that others wait for too: it must not block, nor call Append.
  virtual void AppendThen(const ledger::Entry& entry, Done done) { done(Append(entry)); }
};

}  // namespace broker
