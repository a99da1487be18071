// broker/device_login.h: enrolment of a refresh token by device code (RFC 8628).
#pragma once
#include <chrono>
#include <string>

#include "broker/minter.h"

namespace broker {

/// What the person who logs in is shown.
struct DevicePrompt {
  std::string user_code;
  std::string verification_uri;
  std::chrono::seconds expires_in{0};
  std::chrono::seconds interval{0};
};

/// One login under way. Not thread-safe: one per login.
class DeviceLogin {
 public:
  /// `store` gets the refresh token; it must be the one that the credential's vault reads.
  DeviceLogin(Minter::Ports ports, SealedStore& store, policy::Config config,
              policy::Credential credential);
  ~DeviceLogin();

  /// Asks Entra for a device code.
  std::expected<DevicePrompt, Refusal> Start();
  /// Asks once whether the person is done. Pending: false, and `interval()` may have grown
  /// (slow_down). Done: the user's object id and the tenant were compared with the configuration
  /// (another person logging in is kMintedMismatch), the refresh token is stored, true.
  std::expected<bool, Refusal> Poll();
  [[nodiscard]] std::chrono::seconds interval() const;
  /// After Poll() returned true: what the registration is consented to, for the advice that the
  /// command prints.
  [[nodiscard]] const std::vector<std::string>& consented() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace broker
