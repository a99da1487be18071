#include "vault_adapters/pkcs12.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <memory>

#include "broker/base/base64.h"
#include "vault_adapters/pkcs12_cost.h"

namespace vault {
namespace {

using broker::ErrorCode, broker::Exit, broker::Fail, broker::Result, broker::Secret;

struct Freed {
  void operator()(PKCS12* file) const { PKCS12_free(file); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(STACK_OF(X509) * chain) const { sk_X509_pop_free(chain, X509_free); }
  void operator()(BIO* bio) const {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio, &bytes);
    if (size > 0) OPENSSL_cleanse(bytes, static_cast<size_t>(size));
    BIO_free(bio);
  }
};
template <class T>
using Owned = std::unique_ptr<T, Freed>;

// RC2 with 40 bits, with which older tools encrypt certificates, is not in OpenSSL 3's own
// provider.
const char* WhyNotParsed() {
  while (const unsigned long error = ERR_get_error()) {
    if (ERR_GET_REASON(error) == ERR_R_UNSUPPORTED) {
      return "its PKCS#12 is encrypted as OpenSSL 3 reads it no more: import it anew, or with the "
             "content type application/x-pem-file";
    }
  }
  return "its PKCS#12 has a password, or is damaged";
}

std::unexpected<broker::Error> Bad(const char* what) {
  ERR_clear_error();
  return Fail(ErrorCode::kCorrupt, std::string("certificate: ") + what);
}

}  // namespace

Result<Secret> PemOfPkcs12(const Secret& base64) {
  const auto der = broker::Base64Decode(base64.Expose(Exit::kSign));
  if (!der) return Bad("its PKCS#12 is not base64");
  const auto* at = reinterpret_cast<const unsigned char*>(der->Expose(Exit::kSign).data());
  const Owned<PKCS12> file(d2i_PKCS12(nullptr, &at, static_cast<long>(der->size())));
  if (!file) return Bad("not PKCS#12");
  if (!OpensSoon(file.get())) return Bad("its PKCS#12 takes too long to open: import it anew");
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  STACK_OF(X509)* chain = nullptr;
  const bool parsed = PKCS12_parse(file.get(), "", &key, &certificate, &chain) == 1;
  const Owned<EVP_PKEY> owned_key(key);
  const Owned<X509> owned_certificate(certificate);
  const Owned<STACK_OF(X509)> owned_chain(chain);
  if (!parsed) return Bad(WhyNotParsed());
  if (!key || !certificate) return Bad("its PKCS#12 has no private key or no certificate");
  const Owned<BIO> out(BIO_new(BIO_s_mem()));
  bool written =
      out &&
      PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
      PEM_write_bio_X509(out.get(), certificate) == 1;
  for (int i = 0; written && chain != nullptr && i < sk_X509_num(chain); ++i) {
    written = PEM_write_bio_X509(out.get(), sk_X509_value(chain, i)) == 1;
  }
  if (!written) return Bad("no memory");
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out.get(), &bytes);
  return Secret::CopyOf({bytes, static_cast<size_t>(size)});
}

}  // namespace vault
