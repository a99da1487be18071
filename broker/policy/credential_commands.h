// broker/policy/credential_commands.h: shell text that gives a registration what it proves itself
// with, and purser's own identity what it needs in key vaults.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "broker/policy/config.h"

namespace broker::policy {

/// One word for a POSIX shell, quoted unless it needs no quotes.
std::string ShellWord(std::string_view text);

/// The same text in a here-document whose variables are replaced.
std::string HereText(std::string_view text);
/// The shell variable that holds the client id of this credential's registration: "app_aid_mail".
std::string VariableOf(std::string_view credential);

/// The client id of an identity that is made elsewhere; where it is zeros, the variable in which
/// the script is given it.
std::string GivenId(const Credential& credential);

/// What `az ad app create` and `az ad app update` are told so that a browser may come back from a
/// login of this credential (kind refresh-token). Entra takes the kind of client from it.
std::string RedirectUriOption(const Credential& credential);
/// Federated credentials: the commands that have Entra trust the tokens that stand in for a secret,
/// for the registration in $app. Empty for other kinds.
std::string TrustCommands(const Config& config, const Credential& credential);
/// Comment lines, "# az …" each: what puts a secret, a certificate or a key into its place once the
/// registration exists, for a here-document in which $app is the registration. Empty where nothing
/// secret is needed. `display_name` is the registration's.
std::string SecretCommands(const Config& config, const Credential& credential,
                           const std::string& display_name);
/// Role assignments in each key vault: on the single secrets, keys and certificates that
/// credentials name, with the narrowest role that reads (or signs with, or replaces) them.
std::string VaultCommands(const Config& config);

}  // namespace broker::policy
