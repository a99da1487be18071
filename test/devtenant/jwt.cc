#include "test/devtenant/jwt.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include <memory>
#include <stdexcept>

#include "test/devtenant/encoding.h"

namespace devtenant {
namespace {

using DigestContext =
    std::unique_ptr<EVP_MD_CTX, decltype([](EVP_MD_CTX* context) { EVP_MD_CTX_free(context); })>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string PublicNumber(const Key& key, const char* name) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key.get(), name, &number) != 1) throw std::runtime_error("not RSA");
  std::string bytes(static_cast<size_t>(BN_num_bytes(number)), '\0');
  BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
  BN_free(number);
  return bytes;
}

bool UsePss(EVP_PKEY_CTX* context) {
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

}  // namespace

std::string SignRs256(const Key& key, nlohmann::json header, const nlohmann::json& claims) {
  header["alg"] = "RS256";
  header["typ"] = "JWT";
  const std::string text = ToBase64Url(header.dump()) + "." + ToBase64Url(claims.dump());
  const DigestContext context(EVP_MD_CTX_new());
  std::string signature(static_cast<size_t>(EVP_PKEY_get_size(key.get())), '\0');
  size_t size = signature.size();
  if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     Bytes(text), text.size()) != 1) {
    throw std::runtime_error("signing failed");
  }
  signature.resize(size);
  return text + "." + ToBase64Url(signature);
}

std::optional<ParsedJwt> ParseJwt(std::string_view text) {
  const size_t first = text.find('.');
  const size_t second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto header = FromBase64Url(text.substr(0, first));
  const auto claims = FromBase64Url(text.substr(first + 1, second - first - 1));
  const auto signature = FromBase64Url(text.substr(second + 1));
  if (!header || !claims || !signature) return std::nullopt;
  ParsedJwt jwt{.header = nlohmann::json::parse(*header, nullptr, false),
                .claims = nlohmann::json::parse(*claims, nullptr, false),
                .signed_part = std::string(text.substr(0, second)),
                .signature = *signature};
  if (!jwt.header.is_object() || !jwt.claims.is_object()) return std::nullopt;
  return jwt;
}

bool VerifyJwt(const ParsedJwt& jwt, EVP_PKEY* key) {
  const auto algorithm = jwt.header.find("alg");
  if (algorithm == jwt.header.end() || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) return false;
  const bool pss = *algorithm == "PS256";
  if (!pss && *algorithm != "RS256") return false;
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* padding = nullptr;
  return EVP_DigestVerifyInit(context.get(), &padding, EVP_sha256(), nullptr, key) == 1 &&
         (!pss || UsePss(padding)) &&
         EVP_DigestVerify(context.get(), Bytes(jwt.signature), jwt.signature.size(),
                          Bytes(jwt.signed_part), jwt.signed_part.size()) == 1;
}

nlohmann::json PublicJwk(const Key& key, const std::string& key_id) {
  return {{"kty", "RSA"},
          {"use", "sig"},
          {"kid", key_id},
          {"x5t", key_id},
          {"n", ToBase64Url(PublicNumber(key, OSSL_PKEY_PARAM_RSA_N))},
          {"e", ToBase64Url(PublicNumber(key, OSSL_PKEY_PARAM_RSA_E))}};
}

}  // namespace devtenant
