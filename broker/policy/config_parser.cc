#include "broker/policy/config_parser.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <set>

#include "broker/policy/config_checks.h"
#include "broker/policy/config_reader.h"
#include "broker/policy/config_values.h"
#include "broker/policy/kinds.h"

namespace broker::policy {
namespace {

class Digest {
 public:
  Digest() { crypto_hash_sha256_init(&state_); }
  void Add(std::string_view text) {
    crypto_hash_sha256_update(&state_, reinterpret_cast<const unsigned char*>(text.data()),
                              text.size());
  }
  void AddNamed(std::string_view name, std::string_view bytes) {
    Add(std::string(name) + " " + std::to_string(bytes.size()) + "\n");
    Add(bytes);
  }
  std::string Hex() {
    std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
    crypto_hash_sha256_final(&state_, hash.data());
    std::string hex(2 * hash.size() + 1, '\0');
    sodium_bin2hex(hex.data(), hex.size(), hash.data(), hash.size());
    hex.pop_back();
    return hex;
  }

 private:
  crypto_hash_sha256_state state_{};
};

// People mend a file from top to bottom.
void SortByPlace(std::span<const SourceFile> files, std::vector<Diagnostic>* faults) {
  const auto rank = [&](const Diagnostic& fault) {
    return std::ranges::find(files, fault.place.file, &SourceFile::path) - files.begin();
  };
  std::ranges::stable_sort(*faults, [&](const Diagnostic& a, const Diagnostic& b) {
    return std::tuple(rank(a), a.place.line, a.place.column) <
           std::tuple(rank(b), b.place.line, b.place.column);
  });
}

}  // namespace

std::string Format(const Diagnostic& diagnostic) {
  const Place& place = diagnostic.place;
  return place.file + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": " +
         diagnostic.message;
}

std::expected<Config, std::vector<Diagnostic>> ParseConfig(const ParseInput& input) {
  Draft draft;
  size_t bytes = 0;
  for (const SourceFile& file : input.files) bytes += file.text.size();
  if (input.files.empty() || bytes > kMaxConfigBytes) {
    const std::string file = input.files.empty() ? "purser.toml" : input.files.front().path;
    draft.Fault({file, 1, 1}, bytes > kMaxConfigBytes
                                  ? "the configuration is larger than 4 MiB: split the instance"
                                  : "there is no configuration");
    return std::unexpected(std::move(draft.faults));
  }
  ConfigReader reader(input.env, &draft);
  bool whole = true;
  for (const SourceFile& file : input.files) {
    whole = reader.ReadFile(file, &file == &input.files.front()) && whole;
  }
  if (whole) {  // what was not read would look missing
    CheckInstance(input.accounts, &draft);
    CheckCredentials(&draft);
    CheckVaults(&draft);
    CheckAgents(input, &draft);
    CheckRules(&draft);
    CheckNotifiers(&draft);
  }
  if (!draft.faults.empty()) {
    SortByPlace(input.files, &draft.faults);
    return std::unexpected(std::move(draft.faults));
  }
  if (!input.own_uids.empty()) draft.config.admin.owner_uid = input.own_uids.front();
  draft.config.sha256 = ConfigDigest(input.files, draft.env_used);
  return std::move(draft.config);
}

std::string ConfigDigest(std::span<const SourceFile> files,
                         const std::map<std::string, std::string>& env_used) {
  Digest digest;
  for (const SourceFile& file : files) {
    digest.AddNamed(file.path.substr(file.path.rfind('/') + 1), file.text);
  }
  for (const auto& [name, value] : env_used) digest.AddNamed("env:" + name, value);
  return digest.Hex();
}

std::vector<std::string> Hosts(const Config& config) {
  std::set<std::string> hosts = {HostAndPort(config.tenant.authority),
                                 HostAndPort(config.tenant.graph)};
  for (const auto& [name, vault] : config.vaults) {
    if (!vault.url.empty()) hosts.insert(HostAndPort(vault.url));
  }
  for (const auto& [name, notifier] : config.notifiers) {
    if (!notifier.host.empty()) hosts.insert(HostAndPort(notifier.host));
  }
  return {hosts.begin(), hosts.end()};
}

std::vector<std::string> LocalHosts(const Config& config) {
  std::set<std::string> hosts;
  for (const auto& [name, credential] : config.credentials) {
    if (credential.kind == "managed-identity") hosts.insert(HostAndPort(credential.endpoint));
  }
  for (const auto& [name, vault] : config.vaults) {
    if (vault.auth == "managed-identity") hosts.insert(HostAndPort(kImdsEndpoint));
  }
  return {hosts.begin(), hosts.end()};
}

std::string AgentSocketPath(const Config& config, const std::string& agent) {
  return config.paths.run + "/agents/" + agent + "/sock";
}

std::string AdminSocketPath(const Config& config) { return config.paths.run + "/admin/sock"; }

}  // namespace broker::policy
