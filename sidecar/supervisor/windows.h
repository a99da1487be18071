// sidecar/supervisor/windows.h: one window for each agent, one for each admin connection.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/base/log.h"
#include "broker/ledger/entry.h"
#include "sidecar/supervisor/backoff.h"
#include "sidecar/supervisor/findings.h"
#include "sidecar/supervisor/loaded_config.h"
#include "sidecar/supervisor/role_factory.h"

namespace sidecar::supervisor {

/// Windows by key: the agent's name, or AdminKey(n). Not thread-safe.
class Windows {
 public:
  struct Hooks {
    std::function<bool(const RoleProcess&, const std::vector<Finding>&)> started;
    /// It takes connections from now on.
    std::function<void(const std::string& key)> ready;
    std::function<void(const std::string& key)> died;
    std::function<RoleProcess*()> ledger;  // for reader channels; null while it is dead
    std::function<void(broker::ledger::Entry)> record;
  };

  Windows(EventLoop& loop, const broker::Clock& clock, const broker::Log& log, RoleFactory& factory,
          Hooks hooks)
      : loop_(loop), clock_(clock), log_(log), factory_(factory), hooks_(std::move(hooks)) {}

  /// The key of the admin connection number `n`. '#' is in no agent's name.
  static std::string AdminKey(uint64_t n) { return "#" + std::to_string(n); }
  static bool IsAdminKey(const std::string& key) { return key.starts_with('#'); }

  /// The window, started if there is none. Null while it waits for its next start after a death.
  RoleProcess* Acquire(const std::string& key, const broker::policy::Config& config);
  [[nodiscard]] RoleProcess* Get(const std::string& key) const;
  /// Asks it to finish and exit; kills it when it has not after kPatience.
  void Stop(const std::string& key);
  void StopAll();
  /// New reader channels for all after a new start of the ledger.
  void GiveReaders();

  [[nodiscard]] bool empty() const;
  /// In order of key: of each window that runs.
  [[nodiscard]] std::vector<const RoleProcess*> running() const;
  [[nodiscard]] uint32_t restarts(const std::string& key) const;

  // A request under way may wait for Entra (15 s); a stop does not wait that long for strangers.
  static constexpr std::chrono::seconds kPatience{5};

 private:
  struct Window {
    std::unique_ptr<RoleProcess> process;
    Backoff backoff;
    broker::Clock::Steady not_before{};
    uint32_t restarts = 0;
    std::string last_end;
    bool stopping = false;
    EventLoop::Watch patience;
  };
  void GiveReader(const std::string& key, RoleProcess& window);
  void OnMessage(const std::string& key, RoleProcess& role, ipc::MessageType type,
                 const ipc::Message& message);
  void OnDied(const std::string& key, const std::string& how);
  void RecordRestart(const std::string& key, const Window& window);

  EventLoop& loop_;
  const broker::Clock& clock_;
  const broker::Log& log_;
  RoleFactory& factory_;
  Hooks hooks_;
  std::map<std::string, Window> windows_;
};

}  // namespace sidecar::supervisor
