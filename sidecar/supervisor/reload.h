// sidecar/supervisor/reload.h: all roles take the new configuration, or none does.
#pragma once
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/base/log.h"
#include "sidecar/supervisor/core_roles.h"
#include "sidecar/supervisor/event_loop.h"
#include "sidecar/supervisor/front_door.h"
#include "sidecar/supervisor/loaded_config.h"

namespace sidecar::supervisor {

/// How a reload went: the text of kReloadReport is its JSON.
struct ReloadOutcome {
  bool dry_run = false;
  std::vector<std::string> errors;  // empty: done (or, dry, could be done)
  std::string old_sha256, new_sha256;
  std::vector<std::string> gained, lost;  // rights, a line each
};
std::string ToJson(const ReloadOutcome& outcome);

/// One reload at a time, in two phases: read, parse, open sockets, let broker and dialer prepare;
/// then commit everywhere or abort everywhere. Not thread-safe.
class Reload {
 public:
  // A role parses a configuration in milliseconds; one that is silent this long is stuck. Less than
  // the broker waits for the report.
  static constexpr std::chrono::seconds kPatience{8};

  struct Parts {
    EventLoop& loop;
    CoreRoles& core;
    FrontDoor& door;
    std::function<std::expected<SharedConfig, std::vector<std::string>>()> load;
  };
  /// Told once for each Begin. `committed` is the new configuration, null if it was not taken.
  using Done = std::function<void(const ReloadOutcome&, SharedConfig committed)>;

  explicit Reload(Parts parts) : parts_(std::move(parts)) {}

  /// Starts from `current`. With `dry_run` nothing is asked of the roles and nothing changes.
  void Begin(const SharedConfig& current, bool dry_run, Done done);
  /// A role's kConfigured: empty, or why it cannot.
  void OnConfigured(RoleKind kind, const std::string& fault);
  /// A role died: nobody knows what it had prepared.
  void OnDied(RoleKind kind);

 private:
  void Prepare();
  void Commit();
  void Abort(std::vector<std::string> errors);
  void Finish(SharedConfig committed);

  Parts parts_;
  bool running_ = false;
  bool asked_ = false;  // the roles have been given something to commit or abort
  SharedConfig next_;
  Listeners added_;
  std::set<RoleKind> waiting_;
  ReloadOutcome outcome_;
  Done done_;
  EventLoop::Watch patience_;
};

}  // namespace sidecar::supervisor
