#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>

#include "broker/entra/client_certificate.h"

namespace broker::entra {
namespace {

using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

constexpr int kSerialBits = 159;       // RFC 5280 §4.1.2.2: at most 20 octets, and positive
constexpr size_t kMaxCommonName = 64;  // ub-common-name
constexpr long kVersion3 = 2;          // RFC 5280 §4.1.2.1

bool SetSerial(X509* certificate) {
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> number(BN_new(), &BN_free);
  return number && BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool SetTimes(X509* certificate, const CertificateTerms& terms) {
  const auto seconds = [](Clock::Wall time) { return std::chrono::system_clock::to_time_t(time); };
  return ASN1_TIME_set(X509_getm_notBefore(certificate), seconds(terms.not_before)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), seconds(terms.not_after)) != nullptr;
}

// Subject and issuer are one: it signs itself.
bool SetName(X509* certificate, std::string name) {
  name.resize(std::min(name.size(), kMaxCommonName));
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>(name.data());
  return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text,
                                    static_cast<int>(name.size()), -1, 0) == 1 &&
         X509_set_issuer_name(certificate, subject) == 1;
}

// For signatures alone, and no authority over other certificates.
bool AddUse(X509* certificate) {
  for (const auto& [nid, value] : {std::pair{NID_basic_constraints, "critical,CA:FALSE"},
                                   std::pair{NID_key_usage, "critical,digitalSignature"}}) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    if (!added) return false;
  }
  return true;
}

// The BIO's memory is wiped by OpenSSL and by the process's own free().
bool AppendPem(const std::unique_ptr<BIO, decltype(&BIO_free)>& bio, Secret* pem) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  if (size <= 0) return false;
  pem->Append(std::string_view(text, static_cast<size_t>(size)));
  OPENSSL_cleanse(text, static_cast<size_t>(size));
  return true;
}

bool WritePem(EVP_PKEY* key, X509* certificate, Secret* pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), &BIO_free);
  return bio &&
         PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) ==
             1 &&
         PEM_write_bio_X509(bio.get(), certificate) == 1 && AppendPem(bio, pem);
}

}  // namespace

Result<Secret> MakeClientCertificate(const CertificateTerms& terms) {
  const Key key(EVP_RSA_gen(ClientCertificate::kMinKeyBits));
  const Certificate certificate(X509_new(), &X509_free);
  Secret pem;
  const bool done = key && certificate && X509_set_version(certificate.get(), kVersion3) == 1 &&
                    SetSerial(certificate.get()) && SetTimes(certificate.get(), terms) &&
                    SetName(certificate.get(), terms.common_name) &&
                    X509_set_pubkey(certificate.get(), key.get()) == 1 &&
                    AddUse(certificate.get()) &&
                    X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0 &&
                    WritePem(key.get(), certificate.get(), &pem);
  if (done) return pem;
  ERR_clear_error();
  return Fail(ErrorCode::kUnavailable, "certificate: OpenSSL could not make one");
}

}  // namespace broker::entra
