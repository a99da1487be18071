// broker/policy/config_parser.h: purser.toml and agents.d/*.toml → Config, or every fault in them.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/policy/config.h"

namespace broker::policy {

/// The value of an environment variable, when it is set.
using EnvLookup = std::function<std::optional<std::string>(const std::string& name)>;

/// Everything that a configuration depends on; parsing looks at nothing else.
struct ParseInput {
  /// The main file first, then those of agents.d in the order of their names.
  std::span<const SourceFile> files;
  const Accounts& accounts;
  /// For values written "env:NAME". Empty: no variable is set.
  EnvLookup env = {};
  /// The users that purser's own processes run as, purserd's first: no agent may be one of them.
  std::vector<uint32_t> own_uids = {};
};

// A thousand agents need about 400 kB; toml++ holds about ten times the text while it parses.
constexpr size_t kMaxConfigBytes = size_t{4} << 20;

/// Pure. Reads and validates the set as one whole: a Config that is returned keeps every promise
/// that config.h makes. Otherwise all faults that could be found, in the order of files and lines;
/// only a fault of TOML's own syntax hides what stands behind it in the same file.
std::expected<Config, std::vector<Diagnostic>> ParseConfig(const ParseInput& input);

/// SHA-256, hex, over the set: for each file a line "BASENAME LENGTH\n" and its bytes, then for
/// each environment variable used, by name, "env:NAME LENGTH\n" and its value. So
/// `{ printf 'purser.toml %d\n' $(stat -c %s purser.toml); cat purser.toml; } | sha256sum` is the
/// digest of a set of one file.
std::string ConfigDigest(std::span<const SourceFile> files,
                         const std::map<std::string, std::string>& env_used);

/// Every "host:port" that this version connects to, proxies aside: the authority, Microsoft
/// Graph and the key vaults. Sorted, unique.
std::vector<std::string> Hosts(const Config& config);
/// The same for the endpoints of managed identities, which are on this machine or its own link: no
/// proxy leads there.
std::vector<std::string> LocalHosts(const Config& config);

/// "RUN/agents/NAME/sock", "RUN/admin/sock".
std::string AgentSocketPath(const Config& config, const std::string& agent);
std::string AdminSocketPath(const Config& config);

}  // namespace broker::policy
