#include "broker/entra/client_certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <optional>

#include "broker/base/base64.h"

namespace broker::entra {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

std::unexpected<Error> Bad(const char* what) {
  ERR_clear_error();
  return Fail(ErrorCode::kInvalidRequest, std::string("certificate: ") + what);
}

// Reads in place: the BIO borrows the arena's bytes.
Bio Open(std::string_view pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free};
}

// Without this OpenSSL would ask on the terminal for the passphrase of an encrypted key.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*unused*/) { return -1; }

std::string Thumbprint(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  return Base64UrlEncode({reinterpret_cast<const char*>(digest.data()), size});
}

std::string DerOf(const X509* certificate) {
  const int size = i2d_X509(certificate, nullptr);
  if (size <= 0) return {};
  std::string der(static_cast<size_t>(size), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  return i2d_X509(certificate, &out) == size ? der : std::string();
}

// timegm() would read the machine's time zone, which is a file.
std::optional<Clock::Wall> WallOf(const ASN1_TIME* time) {
  std::tm utc{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &utc) != 1) return std::nullopt;
  using namespace std::chrono;
  const year_month_day date{year(utc.tm_year + 1900), month(static_cast<unsigned>(utc.tm_mon + 1)),
                            day(static_cast<unsigned>(utc.tm_mday))};
  if (!date.ok()) return std::nullopt;
  // What the clock cannot count to is its last moment: 9999-12-31 means that there is no end.
  constexpr auto kLast = floor<seconds>(Clock::Wall::max());
  const auto moment =
      sys_seconds(sys_days(date)) + hours(utc.tm_hour) + minutes(utc.tm_min) + seconds(utc.tm_sec);
  return Clock::Wall(std::min(moment, kLast));
}

}  // namespace

void FreeKey::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

Result<ClientCertificate> ParseClientCertificate(const Secret& pem) {
  const std::string_view text = pem.Expose(Exit::kSign);
  const Bio key_bio = Open(text);
  const Bio certificate_bio = Open(text);
  if (!key_bio || !certificate_bio) return Bad("no memory");
  ClientCertificate client;
  client.key.reset(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, &NoPassphrase, nullptr));
  if (!client.key) return Bad("no unencrypted private key in the bundle");
  const Certificate certificate(
      PEM_read_bio_X509(certificate_bio.get(), nullptr, &NoPassphrase, nullptr), &X509_free);
  if (!certificate) return Bad("no certificate in the bundle");
  if (EVP_PKEY_get_base_id(client.key.get()) != EVP_PKEY_RSA) return Bad("the key is not RSA");
  if (EVP_PKEY_get_bits(client.key.get()) < ClientCertificate::kMinKeyBits) {
    return Bad("the key is shorter than 2048 bits");
  }
  if (EVP_PKEY_get_bits(client.key.get()) > ClientCertificate::kMaxKeyBits) {
    return Bad("the key is longer than 8192 bits");
  }
  if (X509_check_private_key(certificate.get(), client.key.get()) != 1) {
    return Bad("the key does not belong to the certificate");
  }
  client.thumbprint = Thumbprint(certificate.get());
  client.der = DerOf(certificate.get());
  if (client.thumbprint.empty() || client.der.empty()) return Bad("no thumbprint");
  const auto end = WallOf(X509_get0_notAfter(certificate.get()));
  if (!end) return Bad("no time of its end");
  client.not_after = *end;
  return client;
}

std::string Sha1Thumbprint(std::string_view der) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(der.data(), der.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1) return {};
  return {reinterpret_cast<const char*>(digest.data()), size};
}

}  // namespace broker::entra
