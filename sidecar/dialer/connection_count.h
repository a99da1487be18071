// sidecar/dialer/connection_count.h: every connection shows in the ledger.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>

#include "broker/base/result.h"
#include "broker/ports/ledger_sink.h"
#include "sidecar/dialer/host_list.h"

namespace sidecar::dialer {

/// Writes connection.opened, one per host and minute with `change.count`.
///
/// The first connection to a host in a minute is written, durably, before it is made, together with
/// those of the minute before that were only counted. So no host is ever reached without an entry,
/// a ledger that cannot write stops new connections within a minute, and a dialer that is killed
/// loses at most how many followed in its last minute.
///
/// Thread-safe; writing for one host does not make the others wait.
class ConnectionCount {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kPeriod{60};
  // Counted and not yet written, per host: more than a minute of any honest use.
  static constexpr int64_t kMaxUnwritten = 10'000;

  explicit ConnectionCount(broker::LedgerSink& ledger) : ledger_(ledger) {}

  /// Call before connecting. Errors: those of LedgerSink::Append: do not connect.
  broker::Status Add(const HostPort& host, Time now);

  /// Writes what was counted and whose minute is over; with `all`, everything. Stops at the
  /// first that cannot be written, which stays counted like the rest. Errors: as Add.
  broker::Status Flush(Time now, bool all = false);

  /// When Flush has something to do next; Time::max() for never.
  [[nodiscard]] Time NextFlush();

 private:
  struct Count {
    std::mutex writing;  // held while an entry of this host is on its way
    int64_t unwritten = 0;
    Time written{};  // the last entry; Time{}: none yet
  };
  Count& CountOf(const HostPort& host);
  broker::Status Write(const HostPort& host, int64_t count);

  broker::LedgerSink& ledger_;
  std::mutex mutex_;  // guards the map; its elements stay where they are
  std::map<HostPort, Count> counts_;
};

}  // namespace sidecar::dialer
