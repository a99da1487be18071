#include "test/devtenant/key_vault.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>

#include "test/devtenant/directory.h"
#include "test/devtenant/encoding.h"

namespace devtenant {
namespace {

using nlohmann::json;

std::string ToBase64(std::string_view bytes) {
  std::string text(bytes.size() / 3 * 4 + 5, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

std::string KeyPem(const Key& key) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string pem(data, static_cast<size_t>(size));
  BIO_free(bio);
  return pem;
}

std::string Pkcs12(const Identity& identity) {
  PKCS12* file = PKCS12_create("", nullptr, identity.key.get(), identity.certificate.get(), nullptr,
                               0, 0, 0, 0, 0);
  unsigned char* der = nullptr;
  const int size = i2d_PKCS12(file, &der);
  const std::string bytes(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  PKCS12_free(file);
  return bytes;
}

std::string Number(EVP_PKEY* key, const char* name, size_t width) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1) throw std::runtime_error("no such number");
  const auto size = std::max(width, static_cast<size_t>(BN_num_bytes(number)));
  std::string bytes(size, '\0');
  BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size));
  BN_free(number);
  return ToBase64Url(bytes);
}

VaultAttributes NewAttributes(int64_t now) { return {.created = now, .updated = now}; }

}  // namespace

json ErrorBody(const VaultError& error) {
  json body = {{"code", error.code}, {"message", error.message}};
  if (!error.inner.empty()) body["innererror"] = {{"code", error.inner}};
  return {{"error", body}};
}

std::string NewVersion() {
  std::string version = NewGuid();
  std::erase(version, '-');
  return version;
}

std::string VaultName(const std::string& name) {
  const bool good = !name.empty() && name.size() <= 127 && std::ranges::all_of(name, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
  });
  if (!good) {
    throw VaultError{400, "BadParameter", "The request URI contains an invalid name: " + name, {}};
  }
  std::string lower = name;
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

void PatchAttributes(VaultAttributes& attributes, const json& change) {
  attributes.enabled = change.value("enabled", attributes.enabled);
  attributes.nbf = change.value("nbf", attributes.nbf);
  attributes.exp = change.value("exp", attributes.exp);
}

json ToJson(const VaultAttributes& attributes) {
  json out = {{"enabled", attributes.enabled},
              {"created", attributes.created},
              {"updated", attributes.updated},
              {"recoveryLevel", "Recoverable+Purgeable"},
              {"recoverableDays", 90}};
  if (attributes.nbf != 0) out["nbf"] = attributes.nbf;
  if (attributes.exp != 0) out["exp"] = attributes.exp;
  return out;
}

json ToJson(const VaultSecret& secret, const std::string& id) {
  json out = {{"id", id}, {"attributes", ToJson(secret.attributes)}, {"tags", json::object()}};
  if (!secret.content_type.empty()) out["contentType"] = secret.content_type;
  if (secret.managed) out["managed"] = true;
  return out;
}

VaultKey CreateVaultKey(const std::string& kty, unsigned bits, int64_t now) {
  auto identity = std::make_shared<Identity>();
  if (kty == "RSA") identity->key.reset(EVP_RSA_gen(bits));
  if (kty == "EC") identity->key.reset(EVP_EC_gen("P-256"));
  if (!identity->key) throw std::runtime_error("no such kind of key");
  return {NewVersion(), std::move(identity), NewAttributes(now)};
}

namespace {

VaultCertificate& AddCertificate(KeyVault& vault, const std::string& name,
                                 const std::shared_ptr<Identity>& identity, bool pkcs12,
                                 int64_t now) {
  const std::string version = NewVersion();
  const std::string key = VaultName(name);
  const VaultAttributes attributes = NewAttributes(now);
  vault.certificates[key].push_back({version, identity, attributes, json::object()});
  vault.keys[key].push_back({version, identity, attributes});
  vault.secrets[key].push_back(
      {.version = version,
       .value = pkcs12 ? ToBase64(Pkcs12(*identity))
                       : KeyPem(identity->key) + ToPem(identity->certificate),
       .content_type = pkcs12 ? "application/x-pkcs12" : "application/x-pem-file",
       .managed = true,
       .attributes = attributes});
  return vault.certificates[key].back();
}

}  // namespace

std::string CreateVaultCertificate(KeyVault& vault, const std::string& name, bool pkcs12,
                                   int64_t now) {
  const auto identity = std::make_shared<Identity>(CreateAuthority(name));
  AddCertificate(vault, name, identity, pkcs12, now);
  return ToPem(identity->certificate);
}

VaultCertificate& ImportVaultCertificate(KeyVault& vault, const std::string& name,
                                         const std::string& pem, int64_t now) {
  auto identity = std::make_shared<Identity>();
  try {
    *identity = {KeyFromPem(pem), CertificateFromPem(pem)};
  } catch (const std::runtime_error&) {
    throw VaultError{400, "BadParameter", "The PEM's content is not in the expected form.", {}};
  }
  if (X509_check_private_key(identity->certificate.get(), identity->key.get()) != 1) {
    throw VaultError{400, "BadParameter", "The key is not the certificate's.", {}};
  }
  return AddCertificate(vault, name, identity, /*pkcs12=*/false, now);
}

json ToJwk(const VaultKey& key, const std::string& kid) {
  EVP_PKEY* pkey = key.identity->key.get();
  json jwk = {{"kid", kid}};
  if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA) {
    jwk["kty"] = "RSA";
    jwk["key_ops"] = {"encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"};
    jwk["n"] = Number(pkey, OSSL_PKEY_PARAM_RSA_N, 0);
    jwk["e"] = Number(pkey, OSSL_PKEY_PARAM_RSA_E, 0);
    return jwk;
  }
  jwk["kty"] = "EC";
  jwk["key_ops"] = {"sign", "verify"};
  jwk["crv"] = "P-256";
  jwk["x"] = Number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, 32);
  jwk["y"] = Number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
  return jwk;
}

VaultSecret& AddVaultSecret(KeyVault& vault, const std::string& name, const json& members,
                            int64_t now) {
  RequireKnown(members, {"value", "content_type", "enabled", "nbf", "exp"});
  VaultSecret secret{.version = NewVersion(),
                     .value = members.at("value"),
                     .content_type = members.value("content_type", ""),
                     .managed = false,
                     .attributes = NewAttributes(now)};
  PatchAttributes(secret.attributes, members);
  return vault.secrets[VaultName(name)].emplace_back(std::move(secret));
}

void ParseKeyVault(KeyVault& vault, const json& document, int64_t now) {
  RequireKnown(document, {"resource", "roles", "secrets", "keys", "certificates"});
  vault.resource = document.value("resource", vault.resource);
  vault.roles = document.value("roles", vault.roles);
  const json secrets = document.value("secrets", json::object());
  for (const auto& [name, members] : secrets.items()) {
    AddVaultSecret(vault, name, members, now);
  }
  const json keys = document.value("keys", json::object());
  for (const auto& [name, members] : keys.items()) {
    RequireKnown(members, {"kty", "bits"});
    vault.keys[VaultName(name)].push_back(
        CreateVaultKey(members.value("kty", "RSA"), members.value("bits", 2048U), now));
  }
  const json certificates = document.value("certificates", json::object());
  for (const auto& [name, members] : certificates.items()) {
    RequireKnown(members, {"pkcs12"});
    CreateVaultCertificate(vault, name, members.value("pkcs12", false), now);
  }
}

}  // namespace devtenant
