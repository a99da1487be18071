// broker/policy/config_messages.h: what a fault of the configuration says. None quotes a value.
#pragma once
#include <string>
#include <string_view>

#include "broker/policy/config_keys.h"

namespace broker::policy {

/// "a" or "b" or "c".
std::string OneOf(Words words);
/// What follows "must be " for a value of this key.
std::string Wanted(const Key& key);

/// A fault of TOML's own syntax, from toml++'s description; `line` is the one that it is in, and
/// `column` its place there, from 1.
std::string SyntaxMessage(std::string_view description, std::string_view line, size_t column);
/// The table that an unknown key stands in.
struct KeyOwner {
  std::string_view name;  // of [credential.NAME] or [agent.NAME]
  bool vaulted = false;   // a credential whose secret a vault has
};
/// A key that `section` does not have.
std::string UnknownKeyMessage(const Section& section, std::string_view key, const KeyOwner& owner);
/// Whether the key of a vaulted credential was meant to say what the vault calls the secret.
bool MeansVaultName(std::string_view key);
/// A name of which there is no [section.NAME]; `known` are those there are.
std::string NoSuchMessage(std::string_view section, std::string_view name, Words known,
                          std::string_view otherwise);
std::string UnknownSectionMessage(std::string_view name);
std::string MissingKeyMessage(const Section& section, const Key& key);

inline constexpr const char* kLooksSecretMessage =
    "this looks like a secret; secrets go into the store with `purser secret set`, never into the "
    "configuration";

}  // namespace broker::policy
