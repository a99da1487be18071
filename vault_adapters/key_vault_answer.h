// vault_adapters/key_vault_answer.h: what Azure Key Vault answers with 200. Pure.
//
// Every reader holds an answer against what was asked: the name in its `id` or `kid`, and the
// version where one was. Errors: kCorrupt; the detail names the member, never bytes.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/result.h"
#include "broker/base/secret.h"
#include "broker/ports/clock.h"
#include "vault_adapters/key_vault_error.h"
#include "vault_adapters/secret_place.h"

namespace vault {

struct Attributes {
  bool enabled = true;
  std::optional<broker::Clock::Wall> not_before, expires;
  broker::Clock::Wall created{};
};

/// The service refuses disabled secrets alone when they are read: not before and expiry are ours to
/// honour. Nothing, or what is the matter.
std::optional<KeyVaultProblem> Unusable(const Attributes& attributes, broker::Clock::Wall now);

struct SecretBundle {
  broker::Secret value;
  std::string version;
  std::string content_type;  // "application/x-pkcs12", "application/x-pem-file", or as it was set
  Attributes attributes;
  bool managed = false;  // the private part of a certificate, which alone can replace it
};
/// Of get and set.
broker::Result<SecretBundle> ReadSecretBundle(const broker::Secret& body, const SecretPlace& asked);

struct SecretVersion {
  std::string version;
  Attributes attributes;
};
struct VersionPage {
  std::vector<SecretVersion> versions;
  std::string next_target;  // path and query of the next page; empty: the last one
};
/// `origin` is the vault's: a next link elsewhere, or to anything but this list, is kCorrupt.
broker::Result<VersionPage> ReadVersionPage(const broker::Secret& body, const std::string& name,
                                            const std::string& origin);

/// The `{"kid","value"}` of sign, wrapKey and unwrapKey, decoded.
struct KeyOperationResult {
  std::string version;  // of the key that did it
  broker::Secret value;
};
broker::Result<KeyOperationResult> ReadKeyOperation(const broker::Secret& body,
                                                    const SecretPlace& asked);

/// The public part as a JWK (RFC 7517, RFC 7518 §6): base64url text as received, checked to be it.
struct PublicKey {
  std::string version;
  std::string kty;        // "RSA" or "EC"; a key in an HSM is either, too
  std::string n, e;       // RSA
  std::string crv, x, y;  // EC
  Attributes attributes;
};
broker::Result<PublicKey> ReadKey(const broker::Secret& body, const SecretPlace& asked);

struct CertificateFacts {
  std::string version;      // of certificate, key and secret alike
  std::string key_version;  // in `kid`
  std::string thumbprint;   // x5t#S256: base64url(SHA-256(DER))
  std::string certificate;  // DER
  std::string label;        // its tag kLabelTag; empty: none
  std::string policy;       // JSON; empty: none came
  Attributes attributes;
};
broker::Result<CertificateFacts> ReadCertificate(const broker::Secret& body,
                                                 const SecretPlace& asked);

/// Of the certificate's pending operation: whether the vault is still at it. Completed, failed and
/// cancelled it is not.
broker::Result<bool> ReadPending(const broker::Secret& body, const std::string& name);

}  // namespace vault
