#include "broker/entra/json_web_keys.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "broker/base/base64.h"
#include "broker/base/strict_json.h"

namespace broker::entra {
namespace {

using nlohmann::json;
using BigNumber = std::unique_ptr<BIGNUM, decltype(&BN_free)>;

constexpr int kMinBits = 2048;
constexpr int kMaxBits = 8192;             // verifying with a longer one costs a caller's time
constexpr const char* kExponent = "AQAB";  // 65537
constexpr size_t kMaxKeyId = 256;

std::unexpected<Error> Bad(const char* what) {
  return Fail(ErrorCode::kCorrupt, std::string("key set: ") + what);
}

std::string TextOf(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

BigNumber ReadNumber(const std::string& text) {
  const auto bytes = Base64UrlDecode(text);
  if (!bytes || bytes->empty()) return {nullptr, &BN_free};
  const std::string_view view = bytes->Expose(Exit::kInspectClaims);
  return {BN_bin2bn(reinterpret_cast<const unsigned char*>(view.data()),
                    static_cast<int>(view.size()), nullptr),
          &BN_free};
}

std::shared_ptr<EVP_PKEY> MakeKey(const BIGNUM* modulus, const BIGNUM* exponent) {
  const std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)> build(OSSL_PARAM_BLD_new(),
                                                                              &OSSL_PARAM_BLD_free);
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr), &EVP_PKEY_CTX_free);
  if (!build || !context) return nullptr;
  if (OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
      OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, exponent) != 1) {
    return nullptr;
  }
  const std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)> params(
      OSSL_PARAM_BLD_to_param(build.get()), &OSSL_PARAM_free);
  EVP_PKEY* key = nullptr;
  if (!params || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return {key, FreeKey()};
}

// nullptr for a key that does not serve; it may well serve somebody else.
std::shared_ptr<EVP_PKEY> ReadKey(const json& object) {
  const std::string use = TextOf(object, "use");
  const std::string algorithm = TextOf(object, "alg");
  if (TextOf(object, "kty") != "RSA" || TextOf(object, "e") != kExponent) return nullptr;
  if ((object.contains("use") && use != "sig") ||
      (object.contains("alg") && algorithm != "RS256")) {
    return nullptr;
  }
  const BigNumber modulus = ReadNumber(TextOf(object, "n"));
  const BigNumber exponent = ReadNumber(kExponent);
  if (!modulus || !exponent) return nullptr;
  const int bits = BN_num_bits(modulus.get());
  if (bits < kMinBits || bits > kMaxBits) return nullptr;
  auto key = MakeKey(modulus.get(), exponent.get());
  ERR_clear_error();
  return key;
}

}  // namespace

Result<std::vector<VerificationKey>> ReadJsonWebKeys(const Secret& body) {
  const auto parsed = ParseStrictJson(body.Expose(Exit::kInspectClaims), {.allow_floats = true});
  if (!parsed || !parsed->is_object()) return Bad("not an object");
  const auto list = parsed->find("keys");
  if (list == parsed->end() || !list->is_array()) return Bad("no keys");
  std::vector<VerificationKey> keys;
  for (const json& object : *list) {
    if (!object.is_object()) return Bad("a key that is no object");
    std::string id = TextOf(object, "kid");
    if (id.empty() || id.size() > kMaxKeyId) continue;
    auto key = ReadKey(object);
    if (!key) continue;
    if (std::ranges::find(keys, id, &VerificationKey::id) != keys.end()) return Bad("a key twice");
    if (keys.size() == kMaxVerificationKeys) return Bad("too many keys");
    if (object.contains("issuer") && !object.at("issuer").is_string()) return Bad("issuer");
    keys.push_back({std::move(id), std::move(key), TextOf(object, "issuer")});
  }
  if (keys.empty()) return Bad("no RSA key for signatures");
  return keys;
}

bool VerifyRs256(const VerificationKey& key, std::string_view signed_bytes,
                 std::string_view signature) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  EVP_PKEY_CTX* rsa = nullptr;  // owned by the context
  const auto bytes = [](std::string_view view) {
    return reinterpret_cast<const unsigned char*>(view.data());
  };
  const bool good =
      context && key.key &&
      EVP_DigestVerifyInit(context.get(), &rsa, EVP_sha256(), nullptr, key.key.get()) == 1 &&
      EVP_PKEY_CTX_set_rsa_padding(rsa, RSA_PKCS1_PADDING) == 1 &&
      EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(signed_bytes),
                       signed_bytes.size()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace broker::entra
