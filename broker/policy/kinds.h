// broker/policy/kinds.h: what the kinds of credential have in common, and what sets them apart.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "broker/policy/config.h"

namespace broker::policy {

/// Azure Instance Metadata Service: where a virtual machine asks for its identity's tokens.
inline constexpr const char* kImdsEndpoint =
    "http://169.254.169.254/metadata/identity/oauth2/token";
/// Where AKS projects tokens for workload identity.
inline constexpr const char* kWorkloadTokenFile =
    "/var/run/secrets/azure/tokens/azure-identity-token";

/// Each may have a thread of the broker's while it tells somebody.
inline constexpr size_t kMaxNotifiers = 8;

/// All that a credential which writes into a Teams chat may be consented to.
inline constexpr const char* kChatScope = "ChatMessage.Send";

/// Who a credential's tokens speak for.
enum class Subject : uint8_t {
  kApplication,     // the registration, the managed identity or the agent identity itself
  kConfiguredUser,  // the user that the configuration names
  kAssertedUser,    // the user whose token the agent passes with each request
};
Subject SubjectOf(const Credential& credential);

/// Whose rights they are, as one word: two credentials that differ in it are never chosen between.
std::string PrincipalOf(const Credential& credential);

/// Whether Entra is asked for all that is consented (".default") whatever was asked for: it is for
/// applications, and for agent identities in each of their ways.
bool AsksForDefault(const Credential& credential);

/// Whether the kind proves an application to Entra, so that another credential can name it as
/// proof.
bool ProvesApplication(std::string_view kind);
std::span<const std::string_view> ProvingKinds();

/// Whether a credential of this kind may have the key; every kind has the keys that are not
/// some kinds' own.
bool TakesKey(std::string_view kind, std::string_view key);
/// The kinds that the key belongs to: "\"federated\" or \"agent-identity\"".
std::string KindsOfKey(std::string_view key);

}  // namespace broker::policy
