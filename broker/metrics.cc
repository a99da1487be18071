#include "broker/metrics.h"

#include <algorithm>
#include <numeric>

namespace broker {

void Histogram::Add(std::chrono::nanoseconds took) {
  const double seconds = std::chrono::duration<double>(took).count();
  // A value on a bound belongs below it: buckets are "less or equal".
  const auto bucket = std::ranges::lower_bound(kBounds, seconds) - kBounds.begin();
  ++counts[static_cast<size_t>(bucket)];
  sum_seconds += seconds;
}

uint64_t Histogram::count() const {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

void Metrics::Issued(const std::string& agent, Source source) {
  const std::scoped_lock lock(mutex_);
  ++counts_.issued[agent][static_cast<size_t>(source)];
}

void Metrics::Denied(const std::string& agent, Reason reason) {
  const std::scoped_lock lock(mutex_);
  ++counts_.denied[{agent, reason}];
}

void Metrics::Minted(const std::string& credential) {
  const std::scoped_lock lock(mutex_);
  ++counts_.minted[credential];
}

void Metrics::MintFailed(const std::string& credential, Reason reason) {
  const std::scoped_lock lock(mutex_);
  ++counts_.mint_failures[{credential, reason}];
}

void Metrics::Asked(const std::string& host, std::chrono::nanoseconds took, int status) {
  const std::scoped_lock lock(mutex_);
  const bool room = counts_.upstream.size() < kMaxHosts || counts_.upstream.contains(host);
  Host& asked = counts_.upstream[room ? host : "other"];
  asked.took.Add(took);
  const int hundreds = status / 100;
  ++asked.by_status[hundreds >= 1 && hundreds <= 5 ? static_cast<size_t>(hundreds) : 0];
}

void Metrics::Appended(std::chrono::nanoseconds took, bool durable) {
  const std::scoped_lock lock(mutex_);
  counts_.ledger_append.Add(took);
  if (!durable) ++counts_.ledger_append_failures;
}

Metrics::Counts Metrics::counts() const {
  const std::scoped_lock lock(mutex_);
  return counts_;
}

}  // namespace broker
