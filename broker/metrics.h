// broker/metrics.h: counts of what the broker did since it started, for monitoring.
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "broker/reason.h"

namespace broker {

/// How often something took how long. The buckets' bounds are a disk's and a network's: from a sync
/// of a good disk to the deadline of a request to Entra.
struct Histogram {
  static constexpr std::array<double, 13> kBounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                  0.1,    0.25,  0.5,    1,     5,    15};
  std::array<uint64_t, kBounds.size() + 1> counts{};  // not cumulative; the last: longer than all
  double sum_seconds = 0;

  void Add(std::chrono::nanoseconds took);
  [[nodiscard]] uint64_t count() const;
};

/// Every name in here is the configuration's or one of a closed list: nothing that a caller sends
/// becomes a label, so that nobody can fill a collector. Thread-safe; each call is a lookup.
class Metrics {
 public:
  // Of hosts, which come from addresses in the configuration; more than one has of those.
  static constexpr size_t kMaxHosts = 64;

  enum class Source { kCache, kMint };
  using ByNameAndReason = std::map<std::pair<std::string, Reason>, uint64_t>;
  struct Host {
    Histogram took;
    std::array<uint64_t, 6> by_status{};  // [0]: no answer; [2]: 2xx, and so on
  };
  struct Counts {
    std::map<std::string, std::array<uint64_t, 2>> issued;  // by agent, then by Source
    ByNameAndReason denied;                                 // by agent
    std::map<std::string, uint64_t> minted;                 // by credential
    ByNameAndReason mint_failures;                          // by credential
    std::map<std::string, Host> upstream;                   // by host; "other" beyond kMaxHosts
    Histogram ledger_append;                                // of every entry
    uint64_t ledger_append_failures = 0;
  };

  void Issued(const std::string& agent, Source source);
  void Denied(const std::string& agent, Reason reason);
  void Minted(const std::string& credential);
  void MintFailed(const std::string& credential, Reason reason);
  /// `status` 0: there was no answer.
  void Asked(const std::string& host, std::chrono::nanoseconds took, int status);
  /// An entry of any type was handed to the ledger, which answered.
  void Appended(std::chrono::nanoseconds took, bool durable);

  [[nodiscard]] Counts counts() const;

 private:
  mutable std::mutex mutex_;
  Counts counts_;
};

}  // namespace broker
