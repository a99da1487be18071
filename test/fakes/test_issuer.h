#pragma once
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <nlohmann/json.hpp>
#include <string>

#include "broker/base/base64.h"
#include "test/fakes/test_certificate.h"

/// Signs users' tokens as Entra does, and publishes its key.
struct TestIssuer {
  explicit TestIssuer(std::string key_id, unsigned bits = 2048)
      : kid(std::move(key_id)), key(TestCertificate::Rsa(bits)) {}

  [[nodiscard]] nlohmann::json Jwk() const {
    return {{"kty", "RSA"},
            {"use", "sig"},
            {"kid", kid},
            {"x5t", kid},
            {"n", Number(OSSL_PKEY_PARAM_RSA_N)},
            {"e", Number(OSSL_PKEY_PARAM_RSA_E)}};
  }
  [[nodiscard]] std::string Jwks() const { return nlohmann::json{{"keys", {Jwk()}}}.dump(); }

  [[nodiscard]] std::string Sign(const nlohmann::json& claims) const {
    return Sign(claims, {{"typ", "JWT"}, {"alg", "RS256"}, {"kid", kid}});
  }
  [[nodiscard]] std::string Sign(const nlohmann::json& claims, const nlohmann::json& header) const {
    const std::string text =
        broker::Base64UrlEncode(header.dump()) + "." + broker::Base64UrlEncode(claims.dump());
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key.key.get());
    std::string signature(1024, '\0');
    size_t size = signature.size();
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    EVP_MD_CTX_free(context);
    return text + "." + broker::Base64UrlEncode(std::string_view(signature).substr(0, size));
  }

  std::string kid;
  TestCertificate key;

 private:
  [[nodiscard]] std::string Number(const char* name) const {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key.key.get(), name, &number);
    std::string bytes(static_cast<size_t>(BN_num_bytes(number)), '\0');
    BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
    BN_free(number);
    return broker::Base64UrlEncode(bytes);
  }
};
