// broker/entra/proof_of_possession.h: what an application shows to change its own keys.
#pragma once
#include <chrono>
#include <string>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/entra/client_certificate.h"
#include "broker/ports/clock.h"

namespace broker::entra {

// Microsoft Graph, "Generate proof-of-possession tokens for rolling keys": ten minutes, no more.
inline constexpr std::chrono::minutes kProofLife{10};
/// The audience of every such proof, in every cloud: the directory's own application id.
inline constexpr const char* kProofAudience = "00000002-0000-0000-c000-000000000000";

/// The `proof` of addKey and removeKey: a JWT that a key signs which Entra knows already and which
/// is valid at this moment (RS256, as in Microsoft's own sample; x5t names the certificate).
/// `object_id` is the application's, not its client id. Unpadded base64url throughout, else Graph
/// answers Authentication_MissingOrMalformed. Errors of the
/// last: kUnavailable (OpenSSL failed).
/// The part that is signed, of the key whose certificate (DER) this is.
std::string ProofToSign(const std::string& certificate, const std::string& object_id,
                        Clock::Wall now);
/// All of it, with a key that is here.
Result<Secret> SignProof(const ClientCertificate& current, const std::string& object_id,
                         Clock::Wall now);

}  // namespace broker::entra
