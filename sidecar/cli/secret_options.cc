#include "sidecar/cli/secret_options.h"

#include "sidecar/cli/daemon_commands.h"
#include "sidecar/cli/sign_in_command.h"

namespace sidecar::cli {
namespace {

void AddLogin(CLI::App& app, Session& session, SecretOrder& order) {
  auto* login = app.add_subcommand("login", "Enrol a user's refresh token, or sign in yourself");
  login->footer(
      "By device code, which some tenants block, or in a browser. Over SSH the address that the\n"
      "browser ends at is pasted. --login-hint fills in whom the browser's page asks for; whoever\n"
      "signs in must be the user of the credential.\n"
      "--as-operator signs in whoever types it, by device code, to the roles that [admin] gives\n"
      "to people of Entra; nothing is enrolled.\n"
      "Examples: purser login aid-mail\n"
      "          purser login aid-mail --browser\n"
      "          purser login --as-operator");
  auto* name = login->add_option("credential", order.credential, "Name in purser.toml");
  auto* person = login->add_flag("--as-operator", order.as_operator, "Sign in as a person");
  person->excludes(name);
  auto* browser =
      login->add_flag("--browser", order.browser, "In a browser (authorization code with PKCE)");
  login->add_option("--login-hint", order.login_hint, "Address of the person who signs in")
      ->needs(browser);
  person->excludes(browser);
  login->callback([&session, &order] {
    if (order.credential.empty() && !order.as_operator) {
      throw CLI::RequiredError("credential, or --as-operator,");
    }
    session.chosen = [&session, &order] {
      return session.WithDaemon([&](const Console& console) {
        if (order.as_operator) return RunSignIn(console, session.SocketPath());
        return order.browser ? RunBrowserLogin(console, order.credential, order.login_hint)
                             : RunLogin(console, order.credential);
      });
    };
  });
}

void AddSecret(CLI::App& app, Session& session, SecretOrder& order) {
  auto* secret = app.add_subcommand("secret", "Enrol secrets")->require_subcommand(1);
  secret->footer("Example: purser secret set admin-app < key-and-certificate.pem");
  auto* set = secret->add_subcommand("set", "Store a client secret, or a certificate with its key");
  set->footer(
      "The secret is read from standard input or a prompt, never from an argument. A certificate\n"
      "says itself when it ends; of a client secret nobody but the portal's page that showed it "
      "does.\n"
      "Examples: purser secret set admin-app < key-and-certificate.pem\n"
      "          purser secret set mailer --expires 2027-05-31");
  set->add_option("credential", order.credential, "Name in purser.toml")->required();
  set->add_option("--expires", order.expires, "Day that a client secret ends (UTC)");
  session.AtDaemon(set, [&order](const Console& console) {
    return RunSecretSet(console, order.credential, order.expires);
  });
}

void AddSeal(CLI::App& app, Session& session) {
  auto* unseal = app.add_subcommand("unseal", "Open the store with its passphrase");
  unseal->footer("Example: purser unseal < passphrase");
  session.AtDaemon(unseal, RunUnseal);
  auto* seal = app.add_subcommand("seal", "The store's key-encryption key")->require_subcommand(1);
  seal->footer("Example: sudo purser seal rotate");
  auto* rotate = seal->add_subcommand("rotate", "Replace it and re-encrypt every secret");
  rotate->footer("Example: sudo purser seal rotate");
  rotate->callback([&session] {
    session.chosen = [&session] {
      return session.WithConfig([&session](const broker::policy::Config& config) {
        return session.WithDaemon([&config](const Console& console) {
          return RunSealRotate(console, config.seal.kind, config.seal.path);
        });
      });
    };
  });
}

}  // namespace

void AddSecretCommands(CLI::App& app, Session& session, SecretOrder& order) {
  AddLogin(app, session, order);
  AddSecret(app, session, order);
  AddSeal(app, session);
}

}  // namespace sidecar::cli
