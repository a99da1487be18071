// test/sidecar/hardening/victim.h: a neighbour that sleeps, and a runner for the attacker.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The users of a run: none means the test's own.
using User = std::optional<uid_t>;

/// A process that lets itself be traced by anybody of its user, and sleeps until the end.
class Victim {
 public:
  explicit Victim(User user);
  ~Victim();
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Of eight bytes of it, as printf's %p writes it.
  [[nodiscard]] static std::string Address();

 private:
  pid_t pid_;
};

enum class Outcome { kWorked, kRefused, kFailedOtherwise, kNotHardened };

/// Runs `executable` as `user` and says what came of it (attacker.cc has the exit statuses; SIGSYS
/// is the filter's).
Outcome RunAttacker(const std::string& executable, User user,
                    const std::vector<std::string>& arguments);
