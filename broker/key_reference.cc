#include "broker/key_reference.h"

#include "broker/base/base64.h"
#include "broker/entra/client_certificate.h"

namespace broker {
namespace {
constexpr std::string_view kPrefix = "key-version ";  // no PEM begins like that
}

Secret EncodeKeyReference(const KeyVersion& version) {
  Secret reference = Secret::CopyOf(kPrefix);
  reference.Append(version.version);
  reference.Append("\n");
  reference.Append(Base64UrlEncode(version.certificate));
  return reference;
}

Result<KeyVersion> ParseKeyReference(const Secret& reference) {
  std::string_view text = reference.Expose(Exit::kInspectClaims);
  const size_t end = text.find('\n');
  if (!text.starts_with(kPrefix) || end == text.npos) {
    return Fail(ErrorCode::kInvalidRequest, "not a version of a vault's key");
  }
  const auto certificate = Base64UrlDecode(text.substr(end + 1));
  if (!certificate) return Fail(ErrorCode::kInvalidRequest, "not a version of a vault's key");
  return KeyVersion{.version = std::string(text.substr(kPrefix.size(), end - kPrefix.size())),
                    .certificate = std::string(certificate->Expose(Exit::kFingerprint)),
                    .label = {}};
}

Result<std::string> CertificateOf(const Secret& secret) {
  if (auto key = ParseKeyReference(secret)) return std::move(key->certificate);
  auto parsed = entra::ParseClientCertificate(secret);
  if (!parsed) return std::unexpected(parsed.error());
  return std::move(parsed->der);
}

}  // namespace broker
