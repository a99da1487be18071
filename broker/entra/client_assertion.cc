#include "broker/entra/client_assertion.h"

#include <sodium.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "broker/base/base64.h"
#include "broker/entra/rsa_signature.h"

namespace broker::entra {
namespace {

// A UUID of version 4 (RFC 9562 §5.4): what Entra's documentation asks for as jti.
std::string NewJti(Random& random) {
  std::array<std::byte, 16> bytes{};
  random.Fill(bytes);
  bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    std::array<char, 3> hex{};
    std::snprintf(hex.data(), hex.size(), "%02x", std::to_integer<unsigned>(bytes[i]));
    text += hex.data();
  }
  return text;
}

std::string HeaderJson(const std::string& thumbprint) {
  return nlohmann::json{{"alg", "PS256"}, {"typ", "JWT"}, {"x5t#S256", thumbprint}}.dump();
}

std::string ClaimsJson(const AssertionParties& parties, Clock::Wall now, Random& random) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  return nlohmann::json{{"aud", parties.audience},
                        {"iss", parties.client_id},
                        {"sub", parties.client_id},
                        {"jti", NewJti(random)},
                        {"nbf", seconds},
                        {"iat", seconds},
                        {"exp", seconds + std::chrono::seconds(kAssertionLife).count()}}
      .dump();
}

}  // namespace

std::string AssertionToSign(const AssertionParties& parties, Clock::Wall now, Random& random) {
  return Base64UrlEncode(HeaderJson(parties.thumbprint)) + "." +
         Base64UrlEncode(ClaimsJson(parties, now, random));
}

Signer::Digest DigestOf(std::string_view to_sign) {
  static_assert(sizeof(Signer::Digest) == crypto_hash_sha256_BYTES);
  Signer::Digest digest{};
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                     reinterpret_cast<const unsigned char*>(to_sign.data()), to_sign.size());
  return digest;
}

Secret AttachSignature(std::string_view to_sign, std::string_view signature) {
  Secret assertion = Secret::CopyOf(to_sign);
  assertion.Append(".");
  assertion.Append(Base64UrlEncode(signature));
  return assertion;
}

Result<Secret> SignClientAssertion(const ClientCertificate& certificate,
                                   const std::string& client_id, const std::string& audience,
                                   Clock::Wall now, Random& random) {
  const std::string to_sign =
      AssertionToSign({certificate.thumbprint, client_id, audience}, now, random);
  const auto signature = SignPs256(certificate.key.get(), to_sign);
  if (!signature) return std::unexpected(signature.error());
  return AttachSignature(to_sign, *signature);
}

}  // namespace broker::entra
