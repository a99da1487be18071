#include "broker/policy/kinds.h"

#include <algorithm>
#include <array>

namespace broker::policy {
namespace {

struct OwnKey {
  std::string_view key, kind;
};
// clang-format off
constexpr auto kOwnKeys = std::to_array<OwnKey>({
    {"user",        "refresh-token"},
    {"user",        "agent-identity"},
    {"client_auth", "refresh-token"},
    {"vault",       "refresh-token"},
    {"vault",       "client-secret"},
    {"vault",       "certificate"},
    {"vault",       "key-vault-key"},
    {"name",        "refresh-token"},
    {"name",        "client-secret"},
    {"name",        "certificate"},
    {"name",        "key-vault-key"},
    {"version",     "refresh-token"},
    {"version",     "client-secret"},
    {"version",     "certificate"},
    {"version",     "key-vault-key"},
    {"proof",       "federated"},
    {"proof",       "agent-identity"},
    {"proof",       "on-behalf-of"},
    {"token_file",  "federated"},
    {"source",      "managed-identity"},
    {"assigned",    "managed-identity"},
    {"object_id",   "managed-identity"},
    {"resource_id", "managed-identity"},
    {"endpoint",    "managed-identity"},
    {"key_folder",  "managed-identity"},
    {"act",         "agent-identity"},
    {"rotate_every", "refresh-token"},
    {"rotate_every", "client-secret"},
    {"rotate_every", "certificate"},
    {"rotate_every", "key-vault-key"},
    {"rotate_with", "refresh-token"},
    {"rotate_with", "client-secret"},
    {"rotate_with", "certificate"},
    {"rotate_with", "key-vault-key"},
});
// clang-format on
constexpr std::array<std::string_view, 4> kProving = {"client-secret", "certificate",
                                                      "key-vault-key", "federated"};

}  // namespace

Subject SubjectOf(const Credential& credential) {
  if (credential.kind == "refresh-token") return Subject::kConfiguredUser;
  if (credential.kind == "on-behalf-of") return Subject::kAssertedUser;
  if (credential.kind != "agent-identity") return Subject::kApplication;
  if (credential.act == "agent-user") return Subject::kConfiguredUser;
  return credential.act == "on-behalf-of" ? Subject::kAssertedUser : Subject::kApplication;
}

std::string PrincipalOf(const Credential& credential) {
  const bool agent = credential.kind == "agent-identity";
  switch (SubjectOf(credential)) {
    case Subject::kConfiguredUser:
      return "user " + credential.user;
    case Subject::kAssertedUser:
      return "the user of the request";
    case Subject::kApplication:
      break;
  }
  return agent ? "agent identity " + credential.client_id : "an application";
}

bool AsksForDefault(const Credential& credential) {
  return credential.kind == "agent-identity" || SubjectOf(credential) == Subject::kApplication;
}

bool ProvesApplication(std::string_view kind) {
  return std::ranges::find(kProving, kind) != kProving.end();
}

std::span<const std::string_view> ProvingKinds() { return kProving; }

bool TakesKey(std::string_view kind, std::string_view key) {
  if (kind == "webhook-url") return key == "kind";
  bool owned = false;
  for (const OwnKey& own : kOwnKeys) {
    if (own.key != key) continue;
    if (own.kind == kind) return true;
    owned = true;
  }
  return !owned;
}

std::string KindsOfKey(std::string_view key) {
  std::string kinds;
  for (const OwnKey& own : kOwnKeys) {
    if (own.key != key) continue;
    kinds += (kinds.empty() ? "\"" : " or \"") + std::string(own.kind) + "\"";
  }
  return kinds;
}

}  // namespace broker::policy
