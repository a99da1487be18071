// broker/key_reference.h: a version of a vault's key where a rotation has a secret.
#pragma once
#include <string>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/ports/key_versions.h"

namespace broker {

/// Stands for the key in the journal and wherever else a rotation hands a secret on. Nothing in it
/// is secret.
Secret EncodeKeyReference(const KeyVersion& version);
/// Its version and certificate. Errors: kInvalidRequest (it is no reference).
Result<KeyVersion> ParseKeyReference(const Secret& reference);

/// The certificate (DER) of a bundle with its private key, or of a reference. Errors: as
/// entra::ParseClientCertificate().
Result<std::string> CertificateOf(const Secret& secret);

}  // namespace broker
