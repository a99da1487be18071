// sidecar/broker/logins.h: people who are logging in at this moment.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/device_login.h"

namespace sidecar::broker_role {

/// Device-code logins under way, each known by an unguessable id. Thread-safe; borrows what it is
/// given. One login is polled by one caller at a time.
class Logins {
 public:
  // More people than that do not log in at the same moment; a login lives 15 minutes at Entra.
  static constexpr size_t kMaxLogins = 16;

  struct Begun {
    std::string id;
    broker::DevicePrompt prompt;
  };
  struct State {
    bool done = false;
    std::chrono::seconds interval{0};    // until the next poll
    std::string credential;              // the one that was enrolled, when done
    std::vector<std::string> consented;  // to what, when done
  };

  Logins(broker::Minter::Ports ports, broker::SealedStore& store) : ports_(ports), store_(store) {}

  /// Refuses kOverloaded over the limit, before Entra is asked, and what DeviceLogin refuses.
  std::expected<Begun, broker::Refusal> Start(const broker::policy::Config& config,
                                              const broker::policy::Credential& credential);
  /// Refuses kNotFound (never begun, over, expired) and what DeviceLogin refuses.
  std::expected<State, broker::Refusal> Poll(const std::string& id);

 private:
  struct Login;
  bool Reserve(const std::string& id, std::shared_ptr<Login> login);
  void Forget(const std::string& id);

  broker::Minter::Ports ports_;
  broker::SealedStore& store_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Login>> logins_;
};

}  // namespace sidecar::broker_role
