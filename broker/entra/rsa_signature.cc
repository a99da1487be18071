#include "broker/entra/rsa_signature.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>

namespace broker::entra {
namespace {

bool SetPadding(EVP_PKEY_CTX* context, int padding) {
  if (EVP_PKEY_CTX_set_rsa_padding(context, padding) != 1) return false;
  if (padding != RSA_PKCS1_PSS_PADDING) return true;
  return EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

Result<std::string> Sign(EVP_PKEY* key, std::string_view text, int padding) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  EVP_PKEY_CTX* pkey = nullptr;  // owned by the context
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::string signature(static_cast<size_t>(EVP_PKEY_get_size(key)), '\0');
  size_t size = signature.size();
  const bool done =
      context && EVP_DigestSignInit(context.get(), &pkey, EVP_sha256(), nullptr, key) == 1 &&
      SetPadding(pkey, padding) &&
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     bytes, text.size()) == 1;
  if (!done) {
    ERR_clear_error();
    return Fail(ErrorCode::kUnavailable, "the assertion could not be signed");
  }
  signature.resize(size);
  return signature;
}

}  // namespace

Result<std::string> SignPs256(EVP_PKEY* key, std::string_view text) {
  return Sign(key, text, RSA_PKCS1_PSS_PADDING);
}

Result<std::string> SignRs256(EVP_PKEY* key, std::string_view text) {
  return Sign(key, text, RSA_PKCS1_PADDING);
}

}  // namespace broker::entra
