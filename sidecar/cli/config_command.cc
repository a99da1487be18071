#include "sidecar/cli/config_command.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <ostream>

#include "broker/policy/chat_replies.h"
#include "broker/policy/config_parser.h"
#include "broker/policy/egress.h"
#include "broker/policy/schema.h"
#include "broker/policy/sharing.h"
#include "broker/policy/show.h"
#include "sidecar/cli/terminal.h"
#include "sidecar/ipc/config_files.h"
#include "sidecar/ipc/host_accounts.h"

namespace sidecar::cli {
namespace {

using broker::policy::Config;
using broker::policy::Diagnostic;
using Json = nlohmann::ordered_json;

std::optional<std::string> FromEnvironment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// Root, and the users that the roles run as where purserd was installed; elsewhere purserd runs as
// whoever tries it out, which is the one who asks.
std::vector<uint32_t> UidsOfPurser(const broker::policy::Accounts& accounts, uint32_t who_asks) {
  std::vector<uint32_t> uids = {0};
  for (const char* role : {"window", "broker", "ledger", "dialer"}) {
    if (const auto uid = accounts.UserId("purser-" + std::string(role))) uids.push_back(*uid);
  }
  if (uids.size() == 1 && who_asks != 0) uids = {who_asks};
  return uids;
}

// The configuration, or its faults; a file that cannot be read is a fault without a line.
std::expected<Config, std::vector<Diagnostic>> Load(const ConfigOptions& options) {
  const HostAccounts host;
  const broker::policy::Accounts& accounts = options.accounts != nullptr ? *options.accounts : host;
  const auto files = ReadConfigFiles(options.path);
  if (!files) {
    return std::unexpected(std::vector<Diagnostic>{{{options.path, 0, 0}, files.error().detail}});
  }
  return broker::policy::ParseConfig({.files = *files,
                                      .accounts = accounts,
                                      .env = FromEnvironment,
                                      .own_uids = options.own_uids.empty()
                                                      ? UidsOfPurser(accounts, options.who_asks)
                                                      : options.own_uids});
}

std::string Line(const Diagnostic& fault) {
  return fault.place.line == 0 ? fault.message : Format(fault);
}

// Names of files need not be UTF-8.
void Print(const Json& json, std::ostream& out) {
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

Json List(const std::vector<Diagnostic>& diagnostics) {
  Json list = Json::array();
  for (const Diagnostic& one : diagnostics) {
    list.push_back({{"file", one.place.file},
                    {"line", one.place.line},
                    {"column", one.place.column},
                    {"message", one.message}});
  }
  return list;
}

int Report(const ConfigOptions& options, const std::vector<Diagnostic>& faults, std::ostream& out,
           std::ostream& err) {
  if (!options.json) {
    for (const Diagnostic& fault : faults) err << Line(fault) << '\n';
    return kExitRefused;
  }
  Print({{"ok", false}, {"faults", List(faults)}}, out);
  return kExitRefused;
}

}  // namespace

int RunConfigCheck(const ConfigOptions& options, std::ostream& out, std::ostream& err) {
  const auto config = Load(options);
  if (!config) return Report(options, config.error(), out, err);
  auto warnings = broker::policy::SharingWarnings(*config);
  for (auto& one : broker::policy::ReplyWarnings(*config)) warnings.push_back(std::move(one));
  if (options.json) {
    Print({{"ok", true},
           {"sha256", config->sha256},
           {"faults", Json::array()},
           {"warnings", List(warnings)}},
          out);
    return kExitDone;
  }
  out << options.path << ": good (" << config->agents.size() << " agents, "
      << config->credentials.size() << " credentials)\nsha256 " << config->sha256 << '\n';
  for (const Diagnostic& warning : warnings) {
    out << Line({warning.place, "warning: " + warning.message}) << '\n';
  }
  return kExitDone;
}

int RunConfigShow(const ConfigOptions& options, std::ostream& out, std::ostream& err) {
  const auto config = Load(options);
  if (!config) return Report(options, config.error(), out, err);
  if (options.json) {
    Print(ConfigAsJson(*config), out);
  } else {
    out << ShowConfig(*config);
  }
  return kExitDone;
}

int RunConfigEgress(const ConfigOptions& options, std::ostream& out, std::ostream& err) {
  const auto config = Load(options);
  if (!config) return Report(options, config.error(), out, err);
  Json list = Json::array();
  for (const auto& to : broker::policy::Egress(*config)) {
    const size_t colon = to.host.rfind(':');  // an IPv6 literal has colons of its own
    list.push_back({{"host", to.host.substr(0, colon)},
                    {"port", std::stoi(to.host.substr(colon + 1))},
                    {"reason", to.reason},
                    {"proxied", to.proxied}});
    if (options.json) continue;
    out << to.host << "  " << to.reason << (to.proxied ? " (through the proxy)" : "") << '\n';
  }
  if (options.json) Print({{"destinations", std::move(list)}}, out);
  return kExitDone;
}

int RunConfigSchema(std::ostream& out) {
  Print(broker::policy::ConfigSchema(), out);
  return kExitDone;
}

broker::Result<Config> LoadForCommand(const std::string& path) {
  auto config = Load({.path = path});
  if (config) return *std::move(config);
  std::string lines;
  for (const Diagnostic& fault : config.error()) {
    lines += (lines.empty() ? "" : "\n") + Line(fault);
  }
  return broker::Fail(broker::ErrorCode::kInvalidRequest, std::move(lines));
}

}  // namespace sidecar::cli
