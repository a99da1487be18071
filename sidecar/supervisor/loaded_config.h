// sidecar/supervisor/loaded_config.h: the configuration, read once for all roles.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "broker/policy/config_parser.h"
#include "sidecar/ipc/frame.h"

namespace sidecar::supervisor {

/// One version of the configuration with everything that the roles get of it.
struct LoadedConfig {
  broker::policy::Config config;
  ipc::Fd bundle;     // sealed memfd with all files, for the broker to parse itself
  ipc::Fd ca_bundle;  // opened [network] ca_file, or the system's
  std::string hosts;  // the text of kHosts
};
using SharedConfig = std::shared_ptr<const LoadedConfig>;

// Debian's ca-certificates(8), where [network] names no ca_file.
inline constexpr const char* kSystemCaBundle = "/etc/ssl/certs/ca-certificates.crt";

/// Where the configuration is, and all else that its meaning depends on.
struct ConfigSource {
  std::string path;
  const broker::policy::Accounts& accounts;
  broker::policy::EnvLookup environment;  // for values written "env:NAME"
  std::vector<uint32_t> own_uids;         // what purser's processes run as, this one first
};

/// Reads the file and agents.d/*.toml beside it in order of name, parses and validates them as one
/// whole, and opens what they name. They must be root's or this process's user's to write alone.
/// The error is what to print, one line each: "file:line:column: what and what to write instead".
std::expected<SharedConfig, std::vector<std::string>> LoadConfig(const ConfigSource& source);

/// What [seal] names, opened for the broker: kind "file" and "systemd-credential" (below
/// `credentials_directory`). An invalid descriptor for "passphrase", where the operator unseals,
/// and for "azure-key-vault", which the broker asks. Errors: kInvalidRequest (missing; readable by
/// others).
broker::Result<ipc::Fd> OpenSealKey(const broker::policy::Seal& seal,
                                    const std::string& credentials_directory);

/// A key that may open the store, and the word for it in kUnseal.
struct SealKey {
  std::string kind;
  ipc::Fd file;
};

/// What OpenSealKey opens, and behind it "PATH.next" where a rotation of the seal left one: after a
/// crash between its two steps only that opens the store.
/// Errors: those of OpenSealKey, unless there is a "PATH.next".
broker::Result<std::vector<SealKey>> OpenSealKeys(const broker::policy::Seal& seal,
                                                  const std::string& credentials_directory);

}  // namespace sidecar::supervisor
