#include "vault_adapters/key_vault_request.h"

#include <algorithm>
#include <utility>

#include "broker/base/ascii.h"
#include "broker/base/base64.h"

namespace vault {
namespace {

using broker::ErrorCode, broker::Exit, broker::Fail, broker::IsAlnum, broker::Result,
    broker::Secret;

std::string Target(std::string_view kind, const std::string& name, std::string_view rest,
                   std::string_view query = "") {
  std::string target = "/";
  target.append(kind).append("/").append(name);
  if (!rest.empty()) target.append("/").append(rest);
  return target.append("?api-version=").append(kKeyVaultApiVersion).append(query);
}

KeyVaultRequest Get(KeyVaultOperation operation, std::string target) {
  return {.operation = operation, .method = "GET", .target = std::move(target), .body = {}};
}

// `{"alg":ALG,"value":VALUE}`, both of characters that JSON does not escape.
KeyVaultRequest KeyOperation(KeyVaultOperation operation, const SecretPlace& place,
                             std::string_view verb, std::string_view algorithm,
                             const Secret& value) {
  KeyVaultRequest request{
      .operation = operation,
      .method = "POST",
      .target = Target("keys", place.name, std::string(place.version).append("/").append(verb)),
      .body = Secret::CopyOf("{\"alg\":\"")};
  request.body.Append(algorithm);
  request.body.Append("\",\"value\":\"");
  request.body.Append(value);
  request.body.Append("\"}");
  return request;
}

std::string_view NameOf(KeyVaultAlgorithm algorithm) {
  switch (algorithm) {
    case KeyVaultAlgorithm::kPs256:
      return "PS256";
    case KeyVaultAlgorithm::kRs256:
      return "RS256";
    case KeyVaultAlgorithm::kEs256:
      return "ES256";
  }
  return "PS256";
}

// The inside of a JSON string (RFC 8259 §7), inside the arena. False: not text.
bool AppendJsonText(Secret* out, std::string_view text) {
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      const char escaped[] = {'\\', c};
      out->Append(std::string_view(escaped, 2));
    } else if (c == '\n') {
      out->Append("\\n");
    } else if (c == '\r') {
      out->Append("\\r");
    } else if (c == '\t') {
      out->Append("\\t");
    } else if (c >= ' ' && c <= '~') {
      out->Append(std::string_view(&c, 1));
    } else {
      return false;
    }
  }
  return true;
}

// `{"value":"…"`
broker::Status AppendValue(Secret* body, const Secret& value) {
  if (value.size() > kMaxSecretValueBytes) {
    return Fail(ErrorCode::kInvalidRequest, "longer than the 25 kB that Key Vault takes");
  }
  body->Append("{\"value\":\"");
  if (!AppendJsonText(body, value.Expose(Exit::kSendUpstream))) {
    return Fail(ErrorCode::kInvalidRequest, "not text: Key Vault keeps text alone");
  }
  body->Append("\"");
  return {};
}

// `attribute`: name and value.
KeyVaultRequest Changing(KeyVaultOperation operation, std::string_view kind,
                         const SecretPlace& place, const std::string& attribute) {
  return {.operation = operation,
          .method = "PATCH",
          .target = Target(kind, place.name, place.version),
          .body = Secret::CopyOf("{\"attributes\":{" + attribute + "}}")};
}

std::string Enabled(bool enabled) {
  return std::string("\"enabled\":") + (enabled ? "true" : "false");
}

}  // namespace

bool IsKeyVaultName(std::string_view text) {
  return !text.empty() && text.size() <= 127 &&
         std::ranges::all_of(text, [](char c) { return IsAlnum(c) || c == '-'; });
}

bool IsKeyVaultVersion(std::string_view text) {
  return text.size() == 32 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

broker::Status CheckPlace(const SecretPlace& place) {
  if (!IsKeyVaultName(place.name)) {
    return Fail(ErrorCode::kInvalidRequest,
                "a Key Vault name has 1 to 127 of 0-9, a-z, A-Z and '-'");
  }
  if (!place.version.empty() && !IsKeyVaultVersion(place.version)) {
    return Fail(ErrorCode::kInvalidRequest, "a Key Vault version has 32 hexadecimal digits");
  }
  return {};
}

KeyVaultRequest GetSecretRequest(const SecretPlace& place) {
  return Get(KeyVaultOperation::kGetSecret, Target("secrets", place.name, place.version));
}

KeyVaultRequest UpdateSecretRequest(const SecretPlace& place, bool enabled) {
  return Changing(KeyVaultOperation::kUpdateSecret, "secrets", place, Enabled(enabled));
}

KeyVaultRequest ExpireSecretRequest(const SecretPlace& place, broker::Clock::Wall expires) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(expires.time_since_epoch()).count();
  return Changing(KeyVaultOperation::kUpdateSecret, "secrets", place,
                  "\"exp\":" + std::to_string(seconds));
}

KeyVaultRequest UpdateCertificateRequest(const SecretPlace& place, bool enabled) {
  return Changing(KeyVaultOperation::kUpdateCertificate, "certificates", place, Enabled(enabled));
}

KeyVaultRequest ListVersionsRequest(const std::string& name) {
  return Get(
      KeyVaultOperation::kListVersions,
      Target("secrets", name, "versions", "&maxresults=" + std::to_string(kVersionsPerPage)));
}

KeyVaultRequest GetDeletedSecretRequest(const std::string& name) {
  return Get(KeyVaultOperation::kGetDeletedSecret, Target("deletedsecrets", name, ""));
}

KeyVaultRequest GetCertificateRequest(const SecretPlace& place) {
  return Get(KeyVaultOperation::kGetCertificate, Target("certificates", place.name, place.version));
}

KeyVaultRequest GetKeyRequest(const SecretPlace& place) {
  return Get(KeyVaultOperation::kGetKey, Target("keys", place.name, place.version));
}

Result<KeyVaultRequest> SetSecretRequest(const std::string& name, const Secret& value,
                                         std::string_view content_type) {
  KeyVaultRequest request{.operation = KeyVaultOperation::kSetSecret,
                          .method = "PUT",
                          .target = Target("secrets", name, ""),
                          .body = {}};
  if (const auto fits = AppendValue(&request.body, value); !fits) {
    return std::unexpected(fits.error());
  }
  request.body.Append(",\"contentType\":\"");
  request.body.Append(content_type);
  request.body.Append("\"}");
  return request;
}

Result<KeyVaultRequest> ImportCertificateRequest(const std::string& name, const Secret& pem) {
  KeyVaultRequest request{.operation = KeyVaultOperation::kImportCertificate,
                          .method = "POST",
                          .target = Target("certificates", name, "import"),
                          .body = {}};
  if (const auto fits = AppendValue(&request.body, pem); !fits) {
    return std::unexpected(fits.error());
  }
  request.body.Append(R"(,"policy":{"secret_props":{"contentType":"application/x-pem-file"}}})");
  return request;
}

KeyVaultRequest GetPendingRequest(const std::string& name) {
  return Get(KeyVaultOperation::kGetCertificate, Target("certificates", name, "pending"));
}

KeyVaultRequest CreateCertificateRequest(const std::string& name, const std::string& policy,
                                         const std::string& label) {
  KeyVaultRequest request{.operation = KeyVaultOperation::kCreateCertificate,
                          .method = "POST",
                          .target = Target("certificates", name, "create"),
                          .body = Secret::CopyOf("{\"policy\":" + policy)};
  request.body.Append(std::string(",\"tags\":{\"") + kLabelTag + "\":\"" + label + "\"}}");
  return request;
}

KeyVaultRequest SignRequest(const SecretPlace& place, KeyVaultAlgorithm algorithm,
                            std::span<const std::byte, 32> digest) {
  const std::string_view bytes(reinterpret_cast<const char*>(digest.data()), digest.size());
  return KeyOperation(KeyVaultOperation::kSign, place, "sign", NameOf(algorithm),
                      broker::Base64UrlEncodeSecret(bytes));
}

KeyVaultRequest WrapKeyRequest(const SecretPlace& place, const Secret& key) {
  return KeyOperation(KeyVaultOperation::kWrapKey, place, "wrapkey", "RSA-OAEP-256",
                      broker::Base64UrlEncodeSecret(key.Expose(Exit::kSendUpstream)));
}

KeyVaultRequest UnwrapKeyRequest(const SecretPlace& place, std::string_view wrapped) {
  return KeyOperation(KeyVaultOperation::kUnwrapKey, place, "unwrapkey", "RSA-OAEP-256",
                      broker::Base64UrlEncodeSecret(wrapped));
}

}  // namespace vault
