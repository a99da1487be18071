// sidecar/broker/logins.h: people who are logging in at this moment.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/browser_login.h"
#include "broker/device_login.h"

namespace sidecar::broker_role {

/// Logins under way, by device code and by browser, each known by an unguessable id. Thread-safe;
/// borrows what it is given. One login is asked about by one caller at a time.
class Logins {
 public:
  // More people than that do not log in at the same moment; a login lives 15 minutes at Entra.
  static constexpr size_t kMaxLogins = 16;
  // As long as Entra's device codes: time to find a second factor.
  static constexpr std::chrono::seconds kBrowserLogin{900};

  struct Begun {
    std::string id;
    broker::DevicePrompt prompt;
  };
  struct Opened {
    std::string id;
    std::string url;    // that the person opens
    std::string state;  // by which the answer is known; in the address, too
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
  /// Refuses kNotFound (never begun, over, expired, a browser's) and what DeviceLogin refuses.
  std::expected<State, broker::Refusal> Poll(const std::string& id);

  /// By browser, for kBrowserLogin; it comes back to `port` of this machine's loopback. Refuses
  /// kOverloaded over the limit, and what BrowserLogin::Start refuses.
  std::expected<Opened, broker::Refusal> Open(const broker::policy::Config& config,
                                              const broker::policy::Credential& credential,
                                              uint16_t port, std::string login_hint);
  /// What came back to the browser. Refuses kNotFound (never begun, over, expired, of another
  /// credential or by device code) and what BrowserLogin::Finish refuses. Returns what the
  /// registration is consented to.
  std::expected<std::vector<std::string>, broker::Refusal> Finish(const std::string& id,
                                                                  const std::string& credential,
                                                                  const broker::Secret& redirect);

  /// Ends those of the credential: it was revoked since they were begun.
  void Drop(const std::string& credential);

 private:
  struct Login;
  bool Reserve(const std::string& id, std::shared_ptr<Login> login);
  void Forget(const std::string& id);
  std::shared_ptr<Login> Find(const std::string& id);

  broker::Minter::Ports ports_;
  broker::SealedStore& store_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Login>> logins_;
};

}  // namespace sidecar::broker_role
