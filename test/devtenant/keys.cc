#include "test/devtenant/keys.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <stdexcept>

#include "test/devtenant/encoding.h"

namespace devtenant {
namespace {

constexpr long kDay = 24 * 60 * 60;
constexpr unsigned kSigningBits = 2048;  // what Entra's own token signing keys have

using Bio = std::unique_ptr<BIO, decltype([](BIO* bio) { BIO_free(bio); })>;

void Check(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("OpenSSL: ") + what);
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  Check(extension != nullptr, "extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Certificate NewCertificate(const Key& key, const std::string& common_name) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  BIGNUM* serial = BN_new();
  const std::string bytes = RandomBytes(16);
  BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), 16, serial);
  BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate.get()));
  BN_free(serial);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  return certificate;
}

void SetValidity(const Certificate& certificate, long from, long to) {
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), from);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), to);
}

}  // namespace

Identity CreateAuthority(const std::string& name) {
  Identity authority{Key(EVP_RSA_gen(kSigningBits)), nullptr};
  Check(authority.key != nullptr, "key generation");
  authority.certificate = NewCertificate(authority.key, name);
  X509* certificate = authority.certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  SetValidity(authority.certificate, -kDay, 30 * kDay);
  AddExtension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(certificate, certificate, NID_subject_key_identifier, "hash");
  Check(X509_sign(certificate, authority.key.get(), EVP_sha256()) > 0, "signing");
  return authority;
}

Identity IssueServerCertificate(const Identity& authority, const std::string& names, bool expired) {
  Identity server{Key(EVP_EC_gen("P-256")), nullptr};
  Check(server.key != nullptr, "key generation");
  server.certificate = NewCertificate(server.key, "devtenant");
  X509* certificate = server.certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(authority.certificate.get()));
  SetValidity(server.certificate, -10 * kDay, expired ? -kDay : 30 * kDay);
  AddExtension(certificate, authority.certificate.get(), NID_subject_alt_name, names);
  AddExtension(certificate, authority.certificate.get(), NID_ext_key_usage, "serverAuth");
  AddExtension(certificate, authority.certificate.get(), NID_authority_key_identifier, "keyid");
  Check(X509_sign(certificate, authority.key.get(), EVP_sha256()) > 0, "signing");
  return server;
}

std::string ToPem(const Certificate& certificate) {
  Bio bio(BIO_new(BIO_s_mem()));
  Check(PEM_write_bio_X509(bio.get(), certificate.get()) == 1, "PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(size)};
}

std::string ToDer(const Certificate& certificate) {
  std::string der(static_cast<size_t>(i2d_X509(certificate.get(), nullptr)), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509(certificate.get(), &out);
  return der;
}

Certificate CertificateFromPem(std::string_view pem) {
  Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  Check(certificate != nullptr, "no PEM certificate");
  return certificate;
}

Certificate CertificateFromDer(std::string_view der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  return Certificate(d2i_X509(nullptr, &bytes, static_cast<long>(der.size())));
}

Validity ValidityOf(const Certificate& certificate) {
  const auto seconds = [](const ASN1_TIME* time) {
    std::tm parts{};
    Check(ASN1_TIME_to_tm(time, &parts) == 1, "time");
    return static_cast<int64_t>(timegm(&parts));
  };
  return {.not_before = seconds(X509_get0_notBefore(certificate.get())),
          .not_after = seconds(X509_get0_notAfter(certificate.get()))};
}

Key KeyFromPem(std::string_view pem) {
  Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  Check(key != nullptr, "no PEM private key");
  return key;
}

}  // namespace devtenant
