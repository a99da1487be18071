#include "broker/entra/proof_of_possession.h"

#include <nlohmann/json.hpp>

#include "broker/base/base64.h"
#include "broker/entra/client_assertion.h"
#include "broker/entra/rsa_signature.h"

namespace broker::entra {

std::string ProofToSign(const std::string& certificate, const std::string& object_id,
                        Clock::Wall now) {
  const auto since = now.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since).count();
  const nlohmann::json header = {
      {"alg", "RS256"}, {"typ", "JWT"}, {"x5t", Base64UrlEncode(Sha1Thumbprint(certificate))}};
  const nlohmann::json claims = {{"aud", kProofAudience},
                                 {"iss", object_id},
                                 {"nbf", seconds},
                                 {"exp", seconds + std::chrono::seconds(kProofLife).count()}};
  return Base64UrlEncode(header.dump()) + "." + Base64UrlEncode(claims.dump());
}

Result<Secret> SignProof(const ClientCertificate& current, const std::string& object_id,
                         Clock::Wall now) {
  const std::string to_sign = ProofToSign(current.der, object_id, now);
  const auto signature = SignRs256(current.key.get(), to_sign);
  if (!signature) return std::unexpected(signature.error());
  return AttachSignature(to_sign, *signature);
}

}  // namespace broker::entra
