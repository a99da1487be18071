// broker/user_verifier.h: who the user is whose token an agent passes on.
#pragma once
#include <expected>
#include <string>

#include "broker/base/secret.h"
#include "broker/key_sets.h"
#include "broker/policy/config.h"
#include "broker/reason.h"
#include "broker/tenant_resolver.h"

namespace broker {

/// Thread-safe; blocks on the network where the tenant's keys are not known yet. Borrows all.
class UserVerifier {
 public:
  UserVerifier(KeySets& keys, TenantResolver& tenants, const Clock& clock)
      : keys_(keys), tenants_(tenants), clock_(clock) {}

  /// The object id of the user for whom `assertion` was issued to the application that `credential`
  /// stands for: of on-behalf-of its own, of an agent identity its blueprint. In lower case, so
  /// that one user has one token in the cache. Refuses: kInvalidUserAssertion, and with what the
  /// tenant's keys could not be had.
  std::expected<std::string, Refusal> Verify(const policy::Config& config,
                                             const policy::Credential& credential,
                                             const Secret& assertion);

 private:
  KeySets& keys_;
  TenantResolver& tenants_;
  const Clock& clock_;
};

}  // namespace broker
