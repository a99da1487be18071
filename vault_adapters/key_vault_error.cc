#include "vault_adapters/key_vault_error.h"

#include <algorithm>
#include <array>

#include "broker/base/ascii.h"
#include "broker/base/strict_json.h"

namespace vault {
namespace {

using broker::ErrorCode;
using std::string_view;
using Problem = KeyVaultProblem;
using Operation = KeyVaultOperation;

// clang-format off
constexpr auto kOperations = std::to_array<OperationInfo>({
    {Operation::kGetSecret,        "read this secret",            "Key Vault Secrets User",                  "secret permission Get"},
    {Operation::kListVersions,     "list this secret's versions", "Key Vault Secrets User",                  "secret permission List"},
    {Operation::kSetSecret,        "set this secret",             "Key Vault Secrets Officer",               "secret permission Set"},
    {Operation::kUpdateSecret,     "write this secret",           "Key Vault Secrets Officer",               "secret permission Set"},
    {Operation::kGetDeletedSecret, "look at deleted secrets",     "Key Vault Secrets Officer",               "secret permission Get"},
    {Operation::kGetCertificate,   "read this certificate",       "Key Vault Certificate User",              "certificate permission Get"},
    {Operation::kImportCertificate, "import this certificate",    "Key Vault Certificates Officer",          "certificate permission Import"},
    {Operation::kCreateCertificate, "make this certificate",      "Key Vault Certificates Officer",          "certificate permission Create"},
    {Operation::kUpdateCertificate, "write this certificate",     "Key Vault Certificates Officer",          "certificate permission Update"},
    {Operation::kGetKey,           "read this key's public part", "Key Vault Crypto User",                   "key permission Get"},
    {Operation::kSign,             "sign with this key",          "Key Vault Crypto User",                   "key permission Sign"},
    {Operation::kWrapKey,          "wrap with this key",          "Key Vault Crypto Service Encryption User", "key permission Wrap Key"},
    {Operation::kUnwrapKey,        "unwrap with this key",        "Key Vault Crypto Service Encryption User", "key permission Unwrap Key"},
});

struct ProblemRow {
  Problem problem;
  ErrorCode code;
  string_view advice;
};
constexpr auto kProblems = std::to_array<ProblemRow>({
    {Problem::kBadRequest,         ErrorCode::kInvalidRequest, "the request was refused as malformed: check name and version in the configuration, and the kind of key"},
    {Problem::kRoleMissing,        ErrorCode::kDenied,         ""},
    {Problem::kNetworkRules,       ErrorCode::kDenied,         "the vault's network rules refuse this machine: allow its address or subnet in the vault's networking, or reach it by private endpoint"},
    {Problem::kDisabled,           ErrorCode::kDenied,         "it is disabled: enable it, or pin another version"},
    {Problem::kExpired,            ErrorCode::kDenied,         "it has expired: set a new version, or a later expiry date"},
    {Problem::kNotYetValid,        ErrorCode::kDenied,         "it is not valid yet: wait for its activation date, or set an earlier one"},
    {Problem::kNotFound,           ErrorCode::kNotFound,       "there is none of this name and version: set it, or mend name or version in the configuration"},
    {Problem::kDeleted,            ErrorCode::kDenied,         "it is deleted but can be recovered: `az keyvault secret recover`"},
    {Problem::kConflict,           ErrorCode::kConflict,       "somebody else set it first: read it again"},
    {Problem::kThrottled,          ErrorCode::kUnavailable,    "the vault throttles: nothing is sent before Retry-After has passed; use = \"memory\" asks less often"},
    {Problem::kUnreachable,        ErrorCode::kUnavailable,    "the vault cannot be reached"},
    {Problem::kUntrustedChallenge, ErrorCode::kDenied,         ""},
    {Problem::kNoToken,            ErrorCode::kUnavailable,    ""},
    {Problem::kTokenRefused,       ErrorCode::kDenied,         "the vault refuses purser's access token: check that the vault is in this tenant"},
    {Problem::kInvalid,            ErrorCode::kCorrupt,        "this is not an answer of a Key Vault"},
});

// The first row that matches decides; an empty code matches any.
struct AnswerRow {
  int status;
  string_view code;
  Problem problem;
};
constexpr auto kAnswers = std::to_array<AnswerRow>({
    {400, "", Problem::kBadRequest},
    {401, "", Problem::kTokenRefused},
    {403, "SecretDisabled",                Problem::kDisabled},
    {403, "KeyDisabled",                   Problem::kDisabled},
    {403, "CertificateDisabled",           Problem::kDisabled},
    {403, "SecretExpired",                 Problem::kExpired},
    {403, "KeyExpired",                    Problem::kExpired},
    {403, "SecretNotYetValid",             Problem::kNotYetValid},
    {403, "KeyNotYetValid",                Problem::kNotYetValid},
    {403, "ForbiddenByFirewall",           Problem::kNetworkRules},
    {403, "ForbiddenByConnection",         Problem::kNetworkRules},
    {403, "", Problem::kRoleMissing},
    {404, "", Problem::kNotFound},
    {408, "", Problem::kUnreachable},
    {409, "ObjectIsDeletedButRecoverable", Problem::kDeleted},
    {409, "ObjectIsBeingDeleted",          Problem::kDeleted},
    {409, "", Problem::kConflict},
    {429, "", Problem::kThrottled},
});
// clang-format on

const ProblemRow& RowOf(Problem problem) {
  return *std::ranges::find(kProblems, problem, &ProblemRow::problem);
}

struct Codes {
  std::string code, inner;
  bool says_disabled = false;
};

// A code is one word; anything else is prose, which is not passed on.
std::string CodeIn(const nlohmann::json& object) {
  constexpr size_t kMaxCodeBytes = 64;
  const auto it = object.find("code");
  if (it == object.end() || !it->is_string()) return {};
  const auto& code = it->get_ref<const std::string&>();
  const bool word = code.size() <= kMaxCodeBytes && std::ranges::all_of(code, broker::IsAlnum);
  return word ? code : std::string();
}

Codes ReadCodes(const broker::Secret& body) {
  const auto parsed = broker::ParseStrictJson(body.Expose(broker::Exit::kInspectClaims));
  if (!parsed || !parsed->is_object()) return {};
  const auto error = parsed->find("error");
  if (error == parsed->end() || !error->is_object()) return {};
  Codes codes{.code = CodeIn(*error), .inner = {}};
  const auto inner = error->find("innererror");
  if (inner != error->end() && inner->is_object()) codes.inner = CodeIn(*inner);
  const auto message = error->find("message");
  codes.says_disabled = message != error->end() && message->is_string() &&
                        message->get_ref<const std::string&>().contains(" disabled ");
  return codes;
}

Problem ProblemOf(int status, const Codes& codes) {
  if (status >= 500 && status <= 599) return Problem::kUnreachable;
  // Older answers name this in their prose alone.
  if (status == 403 && codes.inner.empty() && codes.says_disabled) return Problem::kDisabled;
  for (const AnswerRow& row : kAnswers) {
    if (row.status != status) continue;
    if (row.code.empty() || row.code == codes.code || row.code == codes.inner) return row.problem;
  }
  return Problem::kInvalid;
}

std::string RoleAdvice(const OperationInfo& operation, const std::string& code) {
  const bool by_policy = code == "ForbiddenByPolicy" || code == "AccessDenied";
  std::string text = "purser's identity may not " + std::string(operation.what) + ": ";
  if (by_policy) {
    return text + "give it the " + std::string(operation.permission) +
           " in the vault's access policies";
  }
  text += "assign it the role \"" + std::string(operation.role) + "\" here";
  if (code == "ForbiddenByRbac") return text;
  return text + ", or with access policies the " + std::string(operation.permission);
}

}  // namespace

const OperationInfo& Describe(KeyVaultOperation operation) {
  return *std::ranges::find(kOperations, operation, &OperationInfo::operation);
}

ErrorCode CodeOf(KeyVaultProblem problem) { return RowOf(problem).code; }

std::unexpected<KeyVaultError> Fault(KeyVaultProblem problem, string_view host,
                                     string_view detail) {
  std::string text(host);
  text.append(": ").append(detail.empty() ? RowOf(problem).advice : detail);
  return std::unexpected(KeyVaultError{problem, CodeOf(problem), std::move(text), std::nullopt});
}

std::unexpected<broker::VaultError> AsError(const KeyVaultError& error, string_view host) {
  broker::VaultError told(broker::Error{error.code, error.detail});
  told.host = host;
  told.retry_after = error.retry_after;
  if (error.retry_after) {
    told.detail += " (again in " + std::to_string(error.retry_after->count()) + " s)";
  }
  return std::unexpected(std::move(told));
}

KeyVaultError ReadKeyVaultError(const broker::HttpResponse& response, KeyVaultOperation operation,
                                string_view host) {
  const Codes codes = ReadCodes(response.body);
  const Problem problem = ProblemOf(response.status, codes);
  const std::string& code = codes.inner.empty() ? codes.code : codes.inner;
  std::string detail = problem == Problem::kRoleMissing ? RoleAdvice(Describe(operation), code)
                                                        : std::string(RowOf(problem).advice);
  detail += " [" + std::to_string(response.status) + (code.empty() ? "" : " " + code) + "]";
  KeyVaultError error = Fault(problem, host, detail).error();
  if (problem == Problem::kThrottled) {
    error.retry_after =
        std::min(response.retry_after.value_or(kDefaultVaultRetryAfter), kMaxVaultRetryAfter);
  }
  return error;
}

}  // namespace vault
