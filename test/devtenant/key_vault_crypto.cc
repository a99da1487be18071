#include "test/devtenant/key_vault_crypto.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

namespace devtenant {
namespace {

using Context =
    std::unique_ptr<EVP_PKEY_CTX,
                    decltype([](EVP_PKEY_CTX* context) { EVP_PKEY_CTX_free(context); })>;

constexpr size_t kDigestBytes = 32;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

[[noreturn]] void Refuse(const std::string& message) {
  ERR_clear_error();
  throw VaultError{400, "BadParameter", message, {}};
}

bool IsRsa(const VaultKey& key) {
  return EVP_PKEY_get_base_id(key.identity->key.get()) == EVP_PKEY_RSA;
}

// r and s side by side instead of DER.
std::string Joined(const std::string& der) {
  const unsigned char* at = Bytes(std::string_view(der));
  ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  std::string joined(2 * kDigestBytes, '\0');
  BN_bn2binpad(ECDSA_SIG_get0_r(signature), Bytes(joined), kDigestBytes);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature), Bytes(joined) + kDigestBytes, kDigestBytes);
  ECDSA_SIG_free(signature);
  return joined;
}

bool SetOaep(EVP_PKEY_CTX* context, const std::string& algorithm) {
  const EVP_MD* digest = algorithm == "RSA-OAEP-256" ? EVP_sha256() : EVP_sha1();
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_oaep_md(context, digest) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(context, digest) == 1;
}

Context NewContext(const VaultKey& key) {
  return Context(EVP_PKEY_CTX_new(key.identity->key.get(), nullptr));
}

void RequireOaep(const VaultKey& key, const std::string& algorithm) {
  if (!IsRsa(key) || (algorithm != "RSA-OAEP-256" && algorithm != "RSA-OAEP")) {
    Refuse("Key and algorithm do not fit: " + algorithm);
  }
}

}  // namespace

std::string SignDigest(const VaultKey& key, const std::string& algorithm, std::string_view digest) {
  const bool pss = algorithm == "PS256";
  const bool fits = IsRsa(key) ? pss || algorithm == "RS256" : algorithm == "ES256";
  if (!fits) Refuse("Key and algorithm do not fit: " + algorithm);
  if (digest.size() != kDigestBytes) Refuse("Invalid length of 'value'");
  const Context context = NewContext(key);
  std::string signature(static_cast<size_t>(EVP_PKEY_get_size(key.identity->key.get())), '\0');
  size_t size = signature.size();
  const bool ready =
      EVP_PKEY_sign_init(context.get()) == 1 &&
      EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1 &&
      (!IsRsa(key) || EVP_PKEY_CTX_set_rsa_padding(
                          context.get(), pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1) &&
      (!pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get(), RSA_PSS_SALTLEN_DIGEST) == 1);
  if (!ready ||
      EVP_PKEY_sign(context.get(), Bytes(signature), &size, Bytes(digest), digest.size()) != 1) {
    Refuse("Signing failed");
  }
  signature.resize(size);
  return IsRsa(key) ? signature : Joined(signature);
}

std::string WrapBytes(const VaultKey& key, const std::string& algorithm, std::string_view bytes) {
  RequireOaep(key, algorithm);
  const Context context = NewContext(key);
  std::string out(static_cast<size_t>(EVP_PKEY_get_size(key.identity->key.get())), '\0');
  size_t size = out.size();
  if (EVP_PKEY_encrypt_init(context.get()) != 1 || !SetOaep(context.get(), algorithm) ||
      EVP_PKEY_encrypt(context.get(), Bytes(out), &size, Bytes(bytes), bytes.size()) != 1) {
    Refuse("Wrapping failed");
  }
  out.resize(size);
  return out;
}

std::string UnwrapBytes(const VaultKey& key, const std::string& algorithm, std::string_view bytes) {
  RequireOaep(key, algorithm);
  const Context context = NewContext(key);
  std::string out(static_cast<size_t>(EVP_PKEY_get_size(key.identity->key.get())), '\0');
  size_t size = out.size();
  if (EVP_PKEY_decrypt_init(context.get()) != 1 || !SetOaep(context.get(), algorithm) ||
      EVP_PKEY_decrypt(context.get(), Bytes(out), &size, Bytes(bytes), bytes.size()) != 1) {
    Refuse("The parameter is incorrect: unwrapping failed");
  }
  out.resize(size);
  return out;
}

}  // namespace devtenant
