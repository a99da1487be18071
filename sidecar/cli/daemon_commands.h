// sidecar/cli/daemon_commands.h: the commands that ask or change the running daemon.
#pragma once
#include <iosfwd>
#include <string>

#include "broker/base/secret.h"
#include "sidecar/cli/admin_client.h"
#include "sidecar/cli/complaint.h"

namespace sidecar::cli {

/// Shared by all of them: the socket, where to print, and how.
struct Console {
  const AdminClient& client;
  std::ostream& out;
  std::ostream& err;
  bool json = false;

  [[nodiscard]] Output output() const { return {out, err, json}; }
};

// Each returns an ExitCode.
/// kExitRefused, too, when a credential has ended or will within a week.
int RunStatus(const Console& console);
int RunReady(const Console& console);
int RunAgents(const Console& console);
int RunCredentials(const Console& console);
/// Prints the metrics, or writes them to `file` so that a collector sees the old or the new ones,
/// never a part.
int RunMetrics(const Console& console, const std::string& file);
int RunReload(const Console& console, bool dry_run);
int RunLedgerResume(const Console& console);
/// Device code: prints where to go and what to type, then polls until the person is done.
int RunLogin(const Console& console, const std::string& credential);
/// Authorization code with PKCE: prints the address to open, and waits for the browser on this
/// machine's loopback, or for the address that it ended at on standard input. What came goes to the
/// broker sealed. `login_hint` is the person's address, or empty.
int RunBrowserLogin(const Console& console, const std::string& credential,
                    const std::string& login_hint);
/// Reads the secret from standard input or a prompt and sends it sealed to the broker.
/// `expires`: the day that a client secret ends, as the portal said; or empty.
int RunSecretSet(const Console& console, const std::string& credential, const std::string& expires);
int RunUnseal(const Console& console);
/// `kind` and `key_path` come from the configuration: a file key is made anew and put in place, a
/// passphrase is asked for, a systemd credential is read from standard input.
int RunSealRotate(const Console& console, const std::string& kind, const std::string& key_path);

/// Prints a refusal or an unreachable daemon and returns the exit code; 0 for a good answer.
int Judge(const Console& console, const broker::Result<AdminAnswer>& answer);
/// Reads a secret's destination key and seals `plain` to it. Errors: those of Call().
broker::Result<std::string> SealForBroker(const AdminClient& client, const broker::Secret& plain);

}  // namespace sidecar::cli
