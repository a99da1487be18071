// sidecar/cli/init_command.h: `purser init`, from an empty machine to a daemon that can start.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "broker/policy/config.h"
#include "sidecar/cli/complaint.h"

namespace sidecar::cli {

struct NewConfigOptions {
  std::string path;        // "/etc/purser/purser.toml"
  std::string instance;    // in every ledger entry
  std::string tenant;      // GUID or domain
  std::string agent_user;  // the user that the agent runs as
};

/// What `purser init` did, step by step: a line each, or with --json one object at the end,
/// {"steps":[{"did":"made","what":"user purser-window","note":"…"}]}.
class InitReport {
 public:
  explicit InitReport(const Output& to) : to_(to) {}

  void Made(const std::string& what, const std::string& note = {}) { Step("made", what, note); }
  void Kept(const std::string& what) { Step("kept", what, {}); }
  /// Prints what there is to print and returns `code`.
  int Done(int code);
  [[nodiscard]] int Complain(const std::string& why) const { return cli::Complain(to_, why); }

 private:
  void Step(const char* did, const std::string& what, const std::string& note);
  const Output to_;
  nlohmann::ordered_json steps_ = nlohmann::ordered_json::array();
};

/// Writes a small configuration with its explanation, mode 0644, unless one is there.
/// Returns an ExitCode.
int WriteNewConfig(const NewConfigOptions& options, InitReport& report);

/// Creates the system users that the roles run as, where this process is root and they are missing.
/// Returns an ExitCode.
int CreateRoleUsers(InitReport& report);

/// Creates what is missing and keeps what is there: the key file and the empty sealed store, with
/// their folders. Asks for a passphrase where [seal] wants one. Returns an ExitCode.
int CreateStore(const broker::policy::Config& config, InitReport& report);

}  // namespace sidecar::cli
