// sidecar/cli/secret_options.h: the command lines of the commands that bring secrets and people in.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "sidecar/cli/session.h"

namespace sidecar::cli {

/// As it was typed.
struct SecretOrder {
  std::string credential;
  bool as_operator = false;  // login: whoever types it, instead of a credential
  bool browser = false;      // login: not by device code
  std::string login_hint;    // login: address of the person, for the browser's page
  std::string expires;       // secret set: day that a client secret ends (UTC)
};

/// Adds login, secret, unseal and seal to `app`; what was typed is put into `session` and
/// `order`, which outlive the parsing.
void AddSecretCommands(CLI::App& app, Session& session, SecretOrder& order);

}  // namespace sidecar::cli
