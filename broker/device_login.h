// broker/device_login.h: enrolment of a refresh token by device code (RFC 8628).
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "broker/device_grant.h"
#include "broker/minter.h"
#include "broker/ports/sealed_store.h"

namespace broker {

/// One login under way. Not thread-safe: one per login. Borrows what the ports refer to.
class DeviceLogin {
 public:
  /// `store` gets the refresh token; it must be the one that the credential's vault reads.
  DeviceLogin(Minter::Ports ports, SealedStore& store, policy::Config config,
              policy::Credential credential);
  ~DeviceLogin();

  /// Asks Entra for a device code, for the credential's scopes. Where these belong to several
  /// resources, Graph's (else the first resource's) stand for all: Entra takes one resource a
  /// request, and the refresh token serves every resource that is consented to.
  std::expected<DevicePrompt, Refusal> Start();
  /// Asks once whether the person is done. Not yet, or Entra cannot be reached: false, and
  /// `interval()` may have grown. Done: tenant, application and user were compared with the
  /// configuration (another person logging in is kMintedMismatch), the refresh token is stored,
  /// true. Refuses kLoginRequired when the person declined or the code expired: start anew. Hints
  /// are for the operator. After a refusal or `true` the login is over. REQUIRES: Start()
  /// succeeded.
  std::expected<bool, Refusal> Poll();
  [[nodiscard]] std::chrono::seconds interval() const;
  /// After Poll() returned true: what the registration is consented to, for the advice that the
  /// command prints. Names of the resource that Start() asked for.
  [[nodiscard]] const std::vector<std::string>& consented() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace broker
