#pragma once
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

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
