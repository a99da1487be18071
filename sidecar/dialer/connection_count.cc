#include "sidecar/dialer/connection_count.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace sidecar::dialer {

using broker::Status;

ConnectionCount::Count& ConnectionCount::CountOf(const HostPort& host) {
  const std::scoped_lock lock(mutex_);
  return counts_[host];  // bounded by the host list, which was asked before
}

Status ConnectionCount::Write(const HostPort& host, int64_t count) {
  broker::ledger::Entry entry;
  entry.type = broker::ledger::EntryType::kConnectionOpened;
  entry.outcome = broker::ledger::Outcome::kSuccess;
  entry.upstream_host = host.host;
  entry.change = {{"count", count}, {"port", int64_t{host.port}}};
  if (auto written = ledger_.Append(entry); !written) return std::unexpected(written.error());
  return {};
}

Status ConnectionCount::Add(const HostPort& host, Time now) {
  Count& count = CountOf(host);
  const std::scoped_lock lock(count.writing);
  const bool first = count.written == Time{} || now - count.written >= kPeriod;
  if (!first && count.unwritten < kMaxUnwritten) {
    ++count.unwritten;
    return {};
  }
  if (Status written = Write(host, count.unwritten + 1); !written) return written;
  count.unwritten = 0;
  count.written = now;
  return {};
}

Status ConnectionCount::Flush(Time now, bool all) {
  std::vector<std::pair<const HostPort, Count>*> known;
  {
    const std::scoped_lock lock(mutex_);
    for (auto& item : counts_) known.push_back(&item);
  }
  for (auto* item : known) {
    auto& [host, count] = *item;
    const std::scoped_lock lock(count.writing);
    if (count.unwritten == 0 || (!all && now - count.written < kPeriod)) continue;
    if (Status written = Write(host, count.unwritten); !written) return written;
    count.unwritten = 0;
    count.written = now;
  }
  return {};
}

ConnectionCount::Time ConnectionCount::NextFlush() {
  Time next = Time::max();
  const std::scoped_lock lock(mutex_);
  for (auto& [host, count] : counts_) {
    const std::scoped_lock entry(count.writing);
    if (count.unwritten > 0) next = std::min(next, count.written + kPeriod);
  }
  return next;
}

}  // namespace sidecar::dialer
