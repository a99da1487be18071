#include "broker/user_verifier.h"

#include "broker/base/ascii.h"
#include "broker/entra/user_assertion.h"
#include "broker/policy/clouds.h"

namespace broker {

std::expected<std::string, Refusal> UserVerifier::Verify(const policy::Config& config,
                                                         const policy::Credential& credential,
                                                         const Secret& assertion) {
  const auto refuse = [](const Error& error) {
    return Refuse(Reason::kInvalidUserAssertion, {}, error.detail);
  };
  const auto key_id = entra::KeyIdOf(assertion);
  if (!key_id) return refuse(key_id.error());
  // Both prove the same application; an agent identity itself is no audience of users' tokens.
  const auto proof = config.credentials.find(credential.proof);
  if (proof == config.credentials.end()) {
    return Refuse(Reason::kInternal, {}, "credential " + credential.name + " has no proof");
  }
  auto tenant = tenants_.Resolve(config.tenant);
  if (!tenant) return std::unexpected(std::move(tenant.error()));
  const auto key = keys_.Find(config.tenant, *key_id);
  if (!key) return std::unexpected(key.error());
  auto user = entra::VerifyUserAssertion(assertion, *key,
                                         {.issuers = policy::IssuersOf(config.tenant, *tenant),
                                          .tenant = *tenant,
                                          .app_id = proof->second.client_id,
                                          .now = clock_.WallNow()});
  if (!user) return refuse(user.error());
  return Lowered(std::move(*user));
}

}  // namespace broker
