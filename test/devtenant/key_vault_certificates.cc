// Certificates, whose keys and private parts go with them, and what the vault's objects share.
#include <algorithm>

#include "test/devtenant/encoding.h"
#include "test/devtenant/key_vault_call.h"

namespace devtenant {

using nlohmann::json;

std::string TextIn(const json& body, const char* name) {
  if (!body.contains(name) || !body.at(name).is_string()) {
    throw VaultError{400, "BadParameter", std::string("Property '") + name + "' is required.", {}};
  }
  return body.at(name).get<std::string>();
}

std::string Id(const Call& call, const char* kind, const std::string& version) {
  const std::string id = call.tenant.vault_url + "/" + kind + "/" + call.name;
  return version.empty() ? id : id + "/" + version;
}

void Patch(Call& call, VaultAttributes& attributes) {
  PatchAttributes(attributes, call.body.value("attributes", json::object()));
  attributes.updated = call.tenant.Now();
}

namespace {

// As of a certificate that was imported, unless somebody wrote one.
json PolicyOf(const Call& call) {
  const auto written = call.tenant.vault.policies.find(VaultName(call.name));
  json policy = {{"issuer", {{"name", "Unknown"}}},
                 {"key_props", {{"exportable", false}, {"kty", "RSA"}, {"reuse_key", true}}},
                 {"x509_props", {{"subject", "CN=" + call.name}, {"validity_months", 12}}}};
  if (written != call.tenant.vault.policies.end()) policy = written->second;
  policy["id"] = Id(call, "certificates", "policy");
  return policy;
}

// The operation as the service shows it; issuers other than the vault itself are not played.
json PendingForm(const Call& call, const PendingCertificate& pending) {
  json form = {{"id", Id(call, "certificates", "pending")},
               {"issuer", {{"name", "Self"}}},
               {"cancellation_requested", false},
               {"status", pending.made ? "completed" : "inProgress"},
               {"request_id", pending.request_id}};
  if (pending.made) form["target"] = Id(call, "certificates", "");
  return form;
}

json CertificateForm(const Call& call, const VaultCertificate& found) {
  const std::string der = ToDer(found.identity->certificate);
  std::string cer(der.size() / 3 * 4 + 5, '\0');
  cer.resize(static_cast<size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(cer.data()),
                                                 reinterpret_cast<const unsigned char*>(der.data()),
                                                 static_cast<int>(der.size()))));
  return {{"id", Id(call, "certificates", found.version)},
          {"kid", Id(call, "keys", found.version)},
          {"sid", Id(call, "secrets", found.version)},
          {"x5t", ToBase64Url(Sha1(der))},
          {"tags", found.tags},
          {"policy", PolicyOf(call)},
          {"cer", cer},
          {"attributes", ToJson(found.attributes)}};
}

// The service does one thing at a time with a certificate.
void RefuseWhilePending(const Call& call) {
  const auto& all = call.tenant.vault.pending;
  const auto found = all.find(VaultName(call.name));
  if (found == all.end() || found->second.made) return;
  throw VaultError{409, "Forbidden", "This certificate's last operation is in progress.", {}};
}

// PEM as it is, or in base64: clients differ in that.
std::string PemIn(const json& body) {
  std::string text = TextIn(body, "value");
  if (text.starts_with("-----BEGIN")) return text;
  std::erase(text, '=');
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return FromBase64Url(text).value_or("");
}

}  // namespace

// The policy is the certificate's, not a version's.
json GetCertificate(Call& call) {
  json form = CertificateForm(call, FindVersion(call.tenant.vault.certificates, call.name,
                                                call.version, "CertificateNotFound"));
  if (!call.version.empty()) form.erase("policy");
  return form;
}

// Key and private part are the certificate's.
json UpdateCertificate(Call& call) {
  KeyVault& vault = call.tenant.vault;
  VaultCertificate& certificate =
      FindVersion(vault.certificates, call.name, call.version, "CertificateNotFound");
  Patch(call, certificate.attributes);
  FindVersion(vault.keys, call.name, certificate.version, "KeyNotFound").attributes =
      certificate.attributes;
  FindVersion(vault.secrets, call.name, certificate.version, "SecretNotFound").attributes =
      certificate.attributes;
  return CertificateForm(call, certificate);
}

json ImportCertificate(Call& call) {
  RefuseWhilePending(call);
  const std::string pem = PemIn(call.body);
  call.tenant.recorder.Secret("vault_secret", "seen", "vault", pem);
  return CertificateForm(
      call, ImportVaultCertificate(call.tenant.vault, call.name, pem, call.tenant.Now()));
}

json CreateCertificate(Call& call) {
  const json policy = call.body.value("policy", json::object());
  if (policy.value("/issuer/name"_json_pointer, "") != "Self") {
    throw VaultError{400, "BadParameter", "Only the issuer Self is there.", {}};
  }
  if (policy.value("/key_props/reuse_key"_json_pointer, false)) {
    throw VaultError{400, "BadParameter", "reuse_key is not there.", {}};
  }
  KeyVault& vault = call.tenant.vault;
  RefuseWhilePending(call);
  PendingCertificate& pending = vault.pending[VaultName(call.name)];
  pending = {.request_id = NewVersion(), .tags = call.body.value("tags", json::object())};
  vault.policies[VaultName(call.name)] = policy;
  return PendingForm(call, pending);
}

// Until it is made, the certificate is as it was.
json GetPendingCertificate(Call& call) {
  KeyVault& vault = call.tenant.vault;
  const auto found = vault.pending.find(VaultName(call.name));
  if (found == vault.pending.end()) {
    throw VaultError{404, "PendingCertificateNotFound", "There is no pending certificate.", {}};
  }
  PendingCertificate& pending = found->second;
  if (pending.seen && !pending.made) {
    CreateVaultCertificate(vault, call.name, /*pkcs12=*/false, call.tenant.Now());
    vault.certificates.at(VaultName(call.name)).back().tags = pending.tags;
    pending.made = true;
  }
  pending.seen = true;
  return PendingForm(call, pending);
}

}  // namespace devtenant
