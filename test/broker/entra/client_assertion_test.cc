#include "broker/entra/client_assertion.h"

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <nlohmann/json.hpp>

#include "broker/base/base64.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/fake_random.h"
#include "test/fakes/test_certificate.h"

using broker::Base64UrlDecode;
using broker::Exit;
using broker::Secret;
using broker::entra::ParseClientCertificate;
using nlohmann::json;

namespace {

struct Parts {
  std::string signing_input, header, claims, signature;
};

Parts Split(const Secret& jwt) {
  const std::string text(jwt.Expose(Exit::kTest));
  const size_t first = text.find('.');
  const size_t second = text.rfind('.');
  REQUIRE(first != second);
  const auto decode = [](const std::string& part) {
    return std::string(Base64UrlDecode(part).value().Expose(Exit::kTest));
  };
  return {text.substr(0, second), decode(text.substr(0, first)),
          decode(text.substr(first + 1, second - first - 1)), decode(text.substr(second + 1))};
}

// RFC 7518 §3.5: PSS with SHA-256, MGF1 of SHA-256, a salt of 32 bytes and no other.
bool VerifyPs256(EVP_PKEY* key, const Parts& parts) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* pss = nullptr;
  const auto bytes = [](const std::string& s) {
    return reinterpret_cast<const unsigned char*>(s.data());
  };
  const bool right = EVP_DigestVerifyInit(context, &pss, EVP_sha256(), nullptr, key) == 1 &&
                     EVP_PKEY_CTX_set_rsa_padding(pss, RSA_PKCS1_PSS_PADDING) == 1 &&
                     EVP_PKEY_CTX_set_rsa_pss_saltlen(pss, 32) == 1 &&
                     EVP_PKEY_CTX_set_rsa_mgf1_md(pss, EVP_sha256()) == 1 &&
                     EVP_DigestVerify(context, bytes(parts.signature), parts.signature.size(),
                                      bytes(parts.signing_input), parts.signing_input.size()) == 1;
  EVP_MD_CTX_free(context);
  return right;
}

}  // namespace

TEST_CASE("An assertion is what Entra asks for, and its signature verifies") {
  const auto made = TestCertificate::Rsa();
  const auto certificate =
      ParseClientCertificate(Secret::CopyOf(made.KeyPem() + made.CertificatePem()));
  REQUIRE(certificate.has_value());
  const FakeClock clock;
  FakeRandom random;
  const std::string endpoint = "https://login.microsoftonline.com/t/oauth2/v2.0/token";
  const auto sign = [&] {
    return broker::entra::SignClientAssertion(*certificate, "client", endpoint, clock.WallNow(),
                                              random);
  };
  const auto first = sign();
  REQUIRE(first.has_value());
  const Parts parts = Split(*first);
  CHECK(VerifyPs256(made.key.get(), parts));

  unsigned char* der = nullptr;
  const int size = i2d_X509(made.certificate.get(), &der);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(der, static_cast<size_t>(size), digest);
  OPENSSL_free(der);
  const json header = json::parse(parts.header);
  CHECK(header == json{{"alg", "PS256"},
                       {"typ", "JWT"},
                       {"x5t#S256", broker::Base64UrlEncode(
                                        {reinterpret_cast<char*>(digest), sizeof digest})}});
  const json claims = json::parse(parts.claims);
  CHECK(claims.size() == 7);
  CHECK(claims["aud"] == endpoint);
  CHECK(claims["iss"] == "client");
  CHECK(claims["sub"] == "client");
  CHECK(claims["iat"] == 1'795'000'000);
  CHECK(claims["nbf"] == 1'795'000'000);
  CHECK(claims["exp"].get<int64_t>() - 1'795'000'000 <= 600);
  CHECK(claims["jti"].get<std::string>().size() == 36);

  const auto second = sign();
  REQUIRE(second.has_value());
  CHECK(json::parse(Split(*second).claims)["jti"] != claims["jti"]);
  Parts forged = parts;
  forged.signing_input.back() ^= 1;
  CHECK_FALSE(VerifyPs256(made.key.get(), forged));
}

TEST_CASE("A key that is elsewhere signs the same assertion") {
  const auto made = TestCertificate::Rsa();
  const FakeClock clock;
  FakeRandom random;
  const std::string to_sign =
      broker::entra::AssertionToSign({"thumb", "client", "endpoint"}, clock.WallNow(), random);
  const auto digest = broker::entra::DigestOf(to_sign);
  // As a vault does: it never sees more than the digest.
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(made.key.get(), nullptr);
  REQUIRE(EVP_PKEY_sign_init(context) == 1);
  EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING);
  EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST);
  EVP_PKEY_CTX_set_signature_md(context, EVP_sha256());
  std::string signature(256, '\0');
  size_t size = signature.size();
  REQUIRE(EVP_PKEY_sign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                        reinterpret_cast<const unsigned char*>(digest.data()), digest.size()) == 1);
  EVP_PKEY_CTX_free(context);
  const Parts parts = Split(broker::entra::AttachSignature(to_sign, signature));
  CHECK(VerifyPs256(made.key.get(), parts));
  CHECK(json::parse(parts.header)["x5t#S256"] == "thumb");
  CHECK(json::parse(parts.claims)["sub"] == "client");
  CHECK(json::parse(parts.claims)["aud"] == "endpoint");
}

TEST_CASE("A bundle is a key and its own certificate, or an error that quotes nothing") {
  const auto made = TestCertificate::Rsa();
  const auto other = TestCertificate::Rsa();
  const auto small = TestCertificate::Rsa(1024);
  const auto large = TestCertificate::Make(TestCertificate::Makeshift(8200));
  const auto ec = TestCertificate::Ec();
  CHECK(ParseClientCertificate(Secret::CopyOf(made.CertificatePem() + made.KeyPem())).has_value());
  CHECK(ParseClientCertificate(
            Secret::CopyOf(made.KeyPem() + made.CertificatePem() + other.CertificatePem()))
            .has_value());
  const std::pair<const char*, std::string> rows[] = {
      {"nothing", ""},
      {"no PEM", "hunter2"},
      {"no certificate", made.KeyPem()},
      {"no key", made.CertificatePem()},
      {"another's certificate", made.KeyPem() + other.CertificatePem()},
      {"another's certificate first",
       made.KeyPem() + other.CertificatePem() + made.CertificatePem()},
      {"a short key", small.KeyPem() + small.CertificatePem()},
      {"a key that takes long to sign with", large.KeyPem() + large.CertificatePem()},
      {"an elliptic curve", ec.KeyPem() + ec.CertificatePem()},
      {"an encrypted key", made.KeyPem("hunter2") + made.CertificatePem()},
      {"a key cut short", made.KeyPem().substr(0, 500) + made.CertificatePem()},
  };
  for (const auto& [what, bundle] : rows) {
    CAPTURE(what);
    const auto got = ParseClientCertificate(Secret::CopyOf(bundle));
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().code == broker::ErrorCode::kInvalidRequest);
    CHECK(got.error().detail.find("hunter2") == std::string::npos);
  }
}
