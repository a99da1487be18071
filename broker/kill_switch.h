// broker/kill_switch.h: who is stopped.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace broker {

/// Agents that are stopped, each by name or all at once.
struct Stops {
  bool all = false;
  std::set<std::string, std::less<>> agents;
  bool operator==(const Stops&) const = default;
};

/// What this process knows of stops: it refuses at once what the ledger, which has the last word,
/// would refuse at the end. Thread-safe.
class KillSwitch {
 public:
  /// What the ledger knew when this process began: added to what was engaged here meanwhile.
  void Adopt(Stops stops);
  /// An empty name: all agents.
  void Engage(std::string_view agent);
  /// Counts what was engaged here.
  [[nodiscard]] uint64_t engagements() const;
  /// Undoes the one or the other, unless something was engaged since `seen` was counted: a stop
  /// that comes while a release is recorded stands. Releasing all leaves agents stopped that were
  /// stopped by name.
  void Release(std::string_view agent, uint64_t seen);
  /// A file of the operator says that all are stopped. No release undoes it; its absence does.
  void HoldByFile(bool there) { held_ = there; }

  [[nodiscard]] bool IsStopped(std::string_view agent) const;
  [[nodiscard]] Stops stops() const;
  [[nodiscard]] bool held_by_file() const { return held_; }

 private:
  std::atomic<bool> any_ = false;  // spares every request the lock
  std::atomic<bool> held_ = false;
  mutable std::mutex mutex_;
  Stops stops_;
  uint64_t engagements_ = 0;
};

}  // namespace broker
