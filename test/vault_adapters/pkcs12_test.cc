#include "vault_adapters/pkcs12.h"

#include <doctest/doctest.h>
#include <openssl/provider.h>

#include "test/fakes/test_certificate.h"
#include "test/vault_adapters/pkcs12_text.h"

using broker::ErrorCode, broker::Exit, broker::Secret;

namespace {

std::string TextOf(const Secret& secret) { return std::string(secret.Expose(Exit::kTest)); }

// `cipher` 0: OpenSSL's own choice.
std::string Pkcs12(const TestCertificate& from, const char* password, int cipher = 0,
                   STACK_OF(X509) * chain = nullptr, int mac = 0) {
  return TextOf(PKCS12_create(password, nullptr, from.key.get(), from.certificate.get(), chain,
                              cipher, cipher, 0, mac, 0));
}

// With ciphers of OpenSSL's legacy provider, which purser does not load.
std::string LegacyPkcs12(const TestCertificate& from) {
  OSSL_LIB_CTX* context = OSSL_LIB_CTX_new();
  OSSL_PROVIDER* legacy = OSSL_PROVIDER_load(context, "legacy");
  OSSL_PROVIDER* usual = OSSL_PROVIDER_load(context, "default");
  REQUIRE((legacy != nullptr && usual != nullptr));
  const std::string text =
      TextOf(PKCS12_create_ex("", nullptr, from.key.get(), from.certificate.get(), nullptr,
                              NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                              NID_pbe_WithSHA1And40BitRC2_CBC, 0, 0, 0, context, nullptr));
  OSSL_PROVIDER_unload(legacy);
  OSSL_PROVIDER_unload(usual);
  OSSL_LIB_CTX_free(context);
  return text;
}

}  // namespace

TEST_CASE("PKCS#12 is read however it was made, its chain behind its own certificate") {
  const TestCertificate certificate = TestCertificate::Rsa();
  const TestCertificate issuer = TestCertificate::Ec();
  const TestCertificate root = TestCertificate::Ec();
  STACK_OF(X509)* chain = sk_X509_new_null();
  sk_X509_push(chain, issuer.certificate.get());
  sk_X509_push(chain, root.certificate.get());
  const std::string pem = certificate.KeyPem() + certificate.CertificatePem();
  const std::string with_chain = pem + issuer.CertificatePem() + root.CertificatePem();
  constexpr int kTripleDes = NID_pbe_WithSHA1And3_Key_TripleDES_CBC;
  constexpr int kNoCipher = -1, kNoMac = -1;
  struct Row {
    const char* why;
    std::string text, pem;
  };
  const Row rows[] = {
      {"a chain", Pkcs12(certificate, "", 0, chain), with_chain},
      {"no password at all", Pkcs12(certificate, nullptr, 0, chain), with_chain},
      {"as Windows does", Pkcs12(certificate, "", kTripleDes, chain), with_chain},
      {"as Windows does, no password", Pkcs12(certificate, nullptr, kTripleDes), pem},
      {"in the clear", Pkcs12(certificate, nullptr, kNoCipher), pem},
      {"in the clear, without a digest", Pkcs12(certificate, nullptr, kNoCipher, nullptr, kNoMac),
       pem},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const auto read = vault::PemOfPkcs12(Secret::CopyOf(row.text));
    REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().detail));
    CHECK(TextOf(*read) == row.pem);
  }
  sk_X509_free(chain);
}

TEST_CASE("PKCS#12 of ciphers that are gone says what to do instead") {
  const auto read = vault::PemOfPkcs12(Secret::CopyOf(LegacyPkcs12(TestCertificate::Rsa())));
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().code == ErrorCode::kCorrupt);
  CHECK(read.error().detail.contains("application/x-pem-file"));
}

TEST_CASE("PKCS#12 that would take minutes to open is refused at once") {
  const TestCertificate certificate = TestCertificate::Rsa();
  const auto make = [&](int cipher, int iterations, int mac) {
    return PKCS12_create("", nullptr, certificate.key.get(), certificate.certificate.get(), nullptr,
                         cipher, cipher, iterations, mac, 0);
  };
  constexpr int kTripleDes = NID_pbe_WithSHA1And3_Key_TripleDES_CBC;
  PKCS12* patient = make(0, 2, 2);
  const ASN1_INTEGER* count = nullptr;
  PKCS12_get0_mac(nullptr, nullptr, nullptr, &count, patient);
  REQUIRE(ASN1_INTEGER_set(const_cast<ASN1_INTEGER*>(count), INT32_MAX) == 1);
  struct Row {
    const char* why;
    PKCS12* file;
  };
  const Row rows[] = {
      {"the digest", patient},
      {"the key's encryption", make(0, 600'000, 0)},  // and the certificate's: too much together
      {"the key's older encryption", make(kTripleDes, 600'000, 0)},
  };
  for (const Row& row : rows) {
    CAPTURE(row.why);
    const auto read = vault::PemOfPkcs12(Secret::CopyOf(TextOf(row.file)));
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().detail.contains("too long to open"));
  }
  CHECK(vault::PemOfPkcs12(Secret::CopyOf(TextOf(make(0, 10'000, 10'000)))).has_value());
}

TEST_CASE("PKCS#12 with any byte another is read or refused, and ends nothing") {
  const TestCertificate certificate = TestCertificate::Ec();
  for (const int mac : {1, -1}) {
    const std::string good =
        TextOf(PKCS12_create("", nullptr, certificate.key.get(), certificate.certificate.get(),
                             nullptr, 0, 0, 1, mac, 0));
    for (size_t i = 0; i < good.size(); ++i) {
      std::string text = good;
      text[i] = text[i] == 'B' ? 'h' : 'B';
      const auto read = vault::PemOfPkcs12(Secret::CopyOf(text));
      if (!read) CHECK(read.error().code == ErrorCode::kCorrupt);
    }
  }
}

TEST_CASE("PKCS#12 that is none, or has a password, is refused") {
  const TestCertificate certificate = TestCertificate::Rsa();
  const std::string good = Pkcs12(certificate, "");
  std::string damaged = good;
  damaged[good.size() / 2] = damaged[good.size() / 2] == 'A' ? 'B' : 'A';
  for (const std::string& text : {std::string(), std::string("%%%"), std::string("AAAA"),
                                  good.substr(0, 400), damaged, Pkcs12(certificate, "pass")}) {
    CHECK(vault::PemOfPkcs12(Secret::CopyOf(text)).error().code == ErrorCode::kCorrupt);
  }
}
