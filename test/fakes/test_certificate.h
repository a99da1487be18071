#pragma once
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

/// A key and a self-signed certificate for it, made on the spot, as PEM.
struct TestCertificate {
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{nullptr, &EVP_PKEY_free};
  std::unique_ptr<X509, decltype(&X509_free)> certificate{nullptr, &X509_free};

  static TestCertificate Make(EVP_PKEY* key) {
    TestCertificate made;
    made.key.reset(key);
    made.certificate.reset(X509_new());
    X509* cert = made.certificate.get();
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_sign(cert, key, EVP_sha256());
    return made;
  }
  static TestCertificate Rsa(unsigned bits = 2048) { return Make(EVP_RSA_gen(bits)); }
  static TestCertificate Ec() { return Make(EVP_EC_gen("P-256")); }

  /// A key of any length at once: its numbers fit each other no better than OpenSSL asks.
  static EVP_PKEY* Makeshift(int bits) {
    std::vector<std::unique_ptr<BIGNUM, decltype(&BN_free)>> numbers;
    OSSL_PARAM_BLD* build = OSSL_PARAM_BLD_new();
    const auto push = [&](const char* name, int size) {
      BIGNUM* number = numbers.emplace_back(BN_new(), &BN_free).get();
      BN_rand(number, size, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
      if (size == 0) BN_set_word(number, RSA_F4);
      OSSL_PARAM_BLD_push_BN(build, name, number);
    };
    push(OSSL_PKEY_PARAM_RSA_E, 0);
    for (const char* name : {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_D}) push(name, bits);
    for (const char* name :
         {OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1,
          OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1}) {
      push(name, bits / 2);
    }
    OSSL_PARAM* params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr);
    EVP_PKEY* key = nullptr;
    EVP_PKEY_fromdata_init(context);
    EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    return key;
  }

  [[nodiscard]] std::string KeyPem(const char* passphrase = nullptr) const {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(
        bio, key.get(), passphrase ? EVP_aes_256_cbc() : nullptr, passphrase,
        passphrase ? static_cast<int>(std::string(passphrase).size()) : 0, nullptr, nullptr);
    return TakeText(bio);
  }
  [[nodiscard]] std::string CertificatePem() const {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, certificate.get());
    return TakeText(bio);
  }

 private:
  static std::string TakeText(BIO* bio) {
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio, &text);
    std::string pem(text, static_cast<size_t>(size));
    BIO_free(bio);
    return pem;
  }
};
