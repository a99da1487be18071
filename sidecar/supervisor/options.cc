#include "sidecar/supervisor/options.h"

#include <algorithm>

#include "sidecar/supervisor/notify.h"

namespace sidecar::supervisor {
namespace {

// systemd.exec(5): "device:inode", both decimal.
bool IsJournalStream(const std::string& text) {
  const size_t colon = text.find(':');
  return colon != std::string::npos && colon > 0 && colon + 1 < text.size() &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == ':'; });
}

void ReadEnvironment(const EnvironmentLookup& environment, Options* options) {
  if (auto config = environment("PURSER_CONFIG")) options->config = *config;
  options->notify_socket = environment("NOTIFY_SOCKET").value_or("");
  options->credentials_directory = environment("CREDENTIALS_DIRECTORY").value_or("");
  options->watchdog = ParseWatchdogPeriod(environment("WATCHDOG_USEC").value_or(""));
  const std::string stream = environment("JOURNAL_STREAM").value_or("");
  if (IsJournalStream(stream)) options->journal_stream = stream;
}

}  // namespace

std::expected<Options, std::string> ParseOptions(const std::vector<std::string>& arguments,
                                                 const EnvironmentLookup& environment) {
  Options options;
  ReadEnvironment(environment, &options);
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const auto take_value = [&](const std::string& name, std::string* value) {
      if (argument.starts_with(name + "=")) {
        *value = argument.substr(name.size() + 1);
        return true;
      }
      if (argument != name || i + 1 == arguments.size()) return false;
      *value = arguments[++i];
      return true;
    };
    if (take_value("--config", &options.config) || take_value("--libexec", &options.libexec)) {
      continue;
    }
    if (argument == "--foreground") {
      options.foreground = true;
    } else if (argument == "--help" || argument == "-h") {
      options.help = true;
    } else if (argument == "--version") {
      options.version = true;
    } else {
      return std::unexpected("unknown argument, or one without its value: " + argument);
    }
  }
  if (options.config.empty() || options.libexec.empty()) {
    return std::unexpected("--config and --libexec take a path");
  }
  if (options.foreground) options.journal_stream.clear();
  return options;
}

std::string UsageText() {
  return std::string("Usage: purserd [--config FILE] [--foreground] [--libexec DIR]\n\n") +
         "Starts purser: ledger, dialer and broker, and a window for each agent that connects.\n"
         "  --config FILE   purser.toml; agents.d/*.toml beside it are read too\n"
         "                  (else $PURSER_CONFIG, else " +
         kDefaultConfig +
         ")\n"
         "  --foreground    log to standard error for a person to read, journald or not\n"
         "  --libexec DIR   where purser-ledger and the others are (" +
         kDefaultLibexec +
         ")\n"
         "  --version, --help\n\n"
         "SIGHUP reads the configuration anew, SIGTERM stops. It never goes to the background.\n";
}

std::vector<std::string> RoleEnvironment(const Options& options) {
  // A function bound at its first call has the vector registers written to the stack, and with them
  // what was last copied: a token. Not every library of Debian is linked to be bound at the start.
  std::vector<std::string> all{"LD_BIND_NOW=1"};
  if (!options.journal_stream.empty()) all.push_back("JOURNAL_STREAM=" + options.journal_stream);
  return all;
}

}  // namespace sidecar::supervisor
