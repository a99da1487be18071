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

/// A fault of TOML's own syntax, from toml++'s description.
std::string SyntaxMessage(std::string_view description);
/// A key that `section` does not have; `owner` is the name in [credential.NAME] or [agent.NAME].
std::string UnknownKeyMessage(const Section& section, std::string_view key, std::string_view owner);
std::string UnknownSectionMessage(std::string_view name);
std::string MissingKeyMessage(const Section& section, const Key& key);

inline constexpr const char* kLooksSecretMessage =
    "this looks like a secret; secrets go into the store with `purser secret set`, never into the "
    "configuration";

}  // namespace broker::policy
