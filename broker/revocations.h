// broker/revocations.h: credentials that an operator took out of use.
#pragma once
#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "broker/policy/config.h"

namespace broker {

/// Names of credentials that are not used, whatever their secrets are and wherever they are kept.
/// Memory only: whoever changes it sees to it that a successor knows. Thread-safe.
class Revocations {
 public:
  /// What was revoked before this process began: added to what was revoked here meanwhile.
  void Adopt(const std::set<std::string>& names);
  void Add(const std::string& name);
  void Lift(const std::string& name);

  [[nodiscard]] bool Has(const std::string& name) const;
  [[nodiscard]] std::set<std::string> all() const;
  /// The first that is revoked of the credential and those that prove it; nothing: it may be used.
  [[nodiscard]] std::optional<std::string> Find(const policy::Config& config,
                                                const policy::Credential& credential) const;

 private:
  std::atomic<bool> any_ = false;  // spares every request the lock
  mutable std::mutex mutex_;
  std::set<std::string> names_;
};

/// The credential and all whose proof it is, or is part of.
std::set<std::string> WithDependents(const policy::Config& config, const std::string& credential);

}  // namespace broker
