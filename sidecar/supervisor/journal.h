// sidecar/supervisor/journal.h: the supervisor's own ledger entries.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include "broker/base/log.h"
#include "broker/ledger/entry.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/supervisor/event_loop.h"
#include "sidecar/supervisor/flood_log.h"

namespace sidecar::supervisor {

/// Hands entries to the ledger without ever waiting for it: a slow ledger delays entries, not
/// connections. What does not fit the queue is counted, and the count becomes an entry.
/// Not thread-safe.
class Journal {
 public:
  // Sent and not acknowledged: as many as surely fit the socket's buffer.
  static constexpr size_t kMaxInFlight = 32;
  // Waiting for their turn: the refusals of about a second of flood.
  static constexpr size_t kMaxWaiting = 1024;

  Journal(EventLoop& loop, const broker::Log& log)
      : loop_(loop), refused_log_(loop, log, "ledger_entry_refused") {}

  /// A new channel to a new ledger process. Entries that its predecessor has not acknowledged are
  /// sent again: an entry may stand twice after a crash, but is not lost.
  void Attach(ipc::Fd channel);
  void Record(broker::ledger::Entry entry);
  /// Before all that waits, whatever waits: a flood of refusals does not hold up a stop.
  void RecordFirst(broker::ledger::Entry entry);
  /// Calls `then` once everything recorded so far and later is acknowledged.
  void WhenDurable(std::function<void()> then);

  [[nodiscard]] uint64_t lost() const { return lost_; }

 private:
  void Pump();
  void OnReadable();
  void Detach();
  void Settle(uint64_t id, uint8_t error, std::string_view detail);

  EventLoop& loop_;
  FloodLog refused_log_;
  ipc::Fd channel_;
  uint64_t next_id_ = 1;
  std::map<uint64_t, broker::ledger::Entry> in_flight_;  // by id, which is the order
  std::deque<broker::ledger::Entry> waiting_;
  uint64_t uncounted_ = 0;  // did not fit and stand in no entry yet
  uint64_t lost_ = 0;
  std::function<void()> then_;
  ipc::Message message_;
  EventLoop::Watch watch_;  // after the channel: it goes before it closes
};

}  // namespace sidecar::supervisor
