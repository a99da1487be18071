// sidecar/supervisor/options.h: purserd's command line and the places that its environment names.
#pragma once
#include <chrono>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sidecar::supervisor {

inline constexpr const char* kDefaultConfig = "/etc/purser/purser.toml";
inline constexpr const char* kDefaultLibexec = "/usr/libexec/purser";

struct Options {
  std::string config = kDefaultConfig;
  std::string libexec = kDefaultLibexec;
  bool foreground = false;  // log lines for people, even where journald reads them
  bool help = false;
  bool version = false;

  // From the environment: places and the service manager, never policy.
  std::string notify_socket;
  std::string journal_stream;
  std::string credentials_directory;
  std::chrono::microseconds watchdog{0};
};

using EnvironmentLookup = std::function<std::optional<std::string>(const std::string& name)>;

/// Pure. The error is one line that says what is wrong with the command line.
std::expected<Options, std::string> ParseOptions(const std::vector<std::string>& arguments,
                                                 const EnvironmentLookup& environment);

/// The text of --help.
std::string UsageText();

/// All that a role's environment holds: LD_BIND_NOW, and JOURNAL_STREAM where the log goes to
/// journald.
std::vector<std::string> RoleEnvironment(const Options& options);

}  // namespace sidecar::supervisor
