#include <doctest/doctest.h>
#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <nlohmann/json.hpp>

#include "broker/base/base64.h"
#include "broker/entra/client_certificate.h"
#include "broker/entra/proof_of_possession.h"

using broker::Exit, broker::Secret;
using namespace broker::entra;
using nlohmann::json;

namespace {

const broker::Clock::Wall kNow{std::chrono::seconds(1'795'000'000)};

Secret Made(const std::string& name = "purser test") {
  return MakeClientCertificate({name, kNow, kNow + std::chrono::hours(24)}).value();
}

std::unique_ptr<X509, decltype(&X509_free)> Parse(const std::string& der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  return {d2i_X509(nullptr, &bytes, static_cast<long>(der.size())), &X509_free};
}

std::string Decoded(const std::string& part) {
  return std::string(broker::Base64UrlDecode(part).value().Expose(Exit::kTest));
}

}  // namespace

TEST_CASE("A certificate made here reads as one, and verifies by its own key") {
  const Secret pem = Made();
  const auto read = ParseClientCertificate(pem);
  REQUIRE(read.has_value());
  const auto certificate = Parse(read->der);
  REQUIRE(certificate != nullptr);
  CHECK(X509_verify(certificate.get(), read->key.get()) == 1);
  CHECK(X509_get_version(certificate.get()) == 2);
  CHECK(X509_NAME_cmp(X509_get_subject_name(certificate.get()),
                      X509_get_issuer_name(certificate.get())) == 0);
  CHECK((X509_get_extension_flags(certificate.get()) & EXFLAG_CA) == 0);
  CHECK(X509_get_key_usage(certificate.get()) == KU_DIGITAL_SIGNATURE);
  std::tm ends{};
  REQUIRE(ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &ends) == 1);
  CHECK(timegm(&ends) == 1'795'000'000 + 24 * 3600);
}

TEST_CASE("No two are alike, and a name that is too long is cut") {
  const auto one = ParseClientCertificate(Made());
  const auto other = ParseClientCertificate(Made(std::string(300, 'x')));
  REQUIRE(one.has_value());
  REQUIRE(other.has_value());
  CHECK(one->thumbprint != other->thumbprint);
  CHECK(Sha1Thumbprint(one->der).size() == 20);
  CHECK(Sha1Thumbprint(one->der) != Sha1Thumbprint(other->der));
}

TEST_CASE("The proof is what Graph asks for, and its signature verifies") {
  const auto current = ParseClientCertificate(Made());
  REQUIRE(current.has_value());
  const auto proof = SignProof(*current, "the-object-id", kNow);
  REQUIRE(proof.has_value());
  const std::string text(proof->Expose(Exit::kTest));
  CHECK(text.find('=') == std::string::npos);
  const size_t first = text.find('.');
  const size_t second = text.rfind('.');
  CHECK(json::parse(Decoded(text.substr(0, first))) ==
        json{{"alg", "RS256"},
             {"typ", "JWT"},
             {"x5t", broker::Base64UrlEncode(Sha1Thumbprint(current->der))}});
  CHECK(json::parse(Decoded(text.substr(first + 1, second - first - 1))) ==
        json{{"aud", "00000002-0000-0000-c000-000000000000"},
             {"iss", "the-object-id"},
             {"nbf", 1'795'000'000},
             {"exp", 1'795'000'600}});
  const std::string signature = Decoded(text.substr(second + 1));
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  CHECK(EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, current->key.get()) == 1);
  CHECK(EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()),
                         signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                         second) == 1);
  EVP_MD_CTX_free(context);
}
