#include "sidecar/supervisor/loaded_config.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "broker/policy/config_bundle.h"
#include "sidecar/ipc/config_files.h"
#include "sidecar/ipc/write_all.h"

namespace sidecar::supervisor {
namespace {

using broker::ErrorCode, broker::Fail, broker::Result;
using ipc::Fd;
using Faults = std::vector<std::string>;

std::unexpected<broker::Error> FailOn(const std::string& path, const std::string& what) {
  return Fail(ErrorCode::kInvalidRequest, path + ": " + what);
}

// Nobody can change it any more: the broker parses what was validated here.
Result<Fd> SealedMemory(std::string_view bytes) {
  Fd memory(memfd_create("purser-config", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (!memory.valid() || !WriteAll(memory.get(), bytes) ||
      fcntl(memory.get(), F_ADD_SEALS, kSeals) != 0) {
    return FailOn("memfd", strerrorname_np(errno));
  }
  return memory;
}

Result<Fd> OpenCaBundle(const std::string& configured) {
  const std::string path = configured.empty() ? kSystemCaBundle : configured;
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status{};
  if (!file.valid() || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return FailOn(path,
                  "cannot be read: install ca-certificates, or name a PEM file in [network] "
                  "ca_file");
  }
  return file;
}

std::string HostLines(const broker::policy::Config& config) {
  std::string lines;
  for (const std::string& host : broker::policy::Hosts(config)) lines += host + "\n";
  for (const std::string& host : broker::policy::LocalHosts(config)) {
    lines += "direct " + host + "\n";
  }
  if (!config.network.proxy.empty()) lines += "proxy " + config.network.proxy + "\n";
  return lines;
}

}  // namespace

std::expected<SharedConfig, Faults> LoadConfig(const ConfigSource& source) {
  const std::array<uint32_t, 2> owners{0, geteuid()};
  auto files = ReadConfigFiles(source.path, owners);
  if (!files) return std::unexpected(Faults{files.error().detail});
  auto prepared = broker::policy::PrepareConfig({.files = *files,
                                                 .accounts = source.accounts,
                                                 .env = source.environment,
                                                 .own_uids = source.own_uids});
  if (!prepared) {
    Faults faults;
    for (const auto& fault : prepared.error()) faults.push_back(Format(fault));
    return std::unexpected(std::move(faults));
  }
  auto loaded = std::make_shared<LoadedConfig>();
  loaded->config = std::move(prepared->config);
  loaded->hosts = HostLines(loaded->config);
  auto bundle = SealedMemory(Encode(prepared->bundle));
  if (!bundle) return std::unexpected(Faults{bundle.error().detail});
  loaded->bundle = std::move(*bundle);
  auto ca_bundle = OpenCaBundle(loaded->config.network.ca_file);
  if (!ca_bundle) return std::unexpected(Faults{ca_bundle.error().detail});
  loaded->ca_bundle = std::move(*ca_bundle);
  return loaded;
}

Result<Fd> OpenSealKey(const broker::policy::Seal& seal, const std::string& credentials_directory) {
  if (seal.kind == "passphrase" || seal.kind == "azure-key-vault") return Fd();
  const bool is_file = seal.kind == "file";
  if (!is_file && credentials_directory.empty()) {
    return FailOn("[seal]", "there is no CREDENTIALS_DIRECTORY: add LoadCredentialEncrypted=" +
                                seal.path + " to the unit");
  }
  const std::string path = is_file ? seal.path : credentials_directory + "/" + seal.path;
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status{};
  if (!file.valid() || fstat(file.get(), &status) != 0) {
    return FailOn(path, std::string(strerrorname_np(errno)) +
                            ": the key-encryption key; `purser init` makes one");
  }
  if (!S_ISREG(status.st_mode)) return FailOn(path, "is not a regular file");
  // systemd guards its credentials by an access list, which shows in the group's bits.
  const mode_t forbidden = is_file ? S_IRWXG | S_IRWXO : S_IRWXO;
  if ((status.st_mode & forbidden) != 0) {
    return FailOn(path, "others can read the key-encryption key: chmod 0400 it and rotate it");
  }
  return file;
}

Result<std::vector<SealKey>> OpenSealKeys(const broker::policy::Seal& seal,
                                          const std::string& credentials_directory) {
  std::vector<SealKey> keys;
  auto key = OpenSealKey(seal, credentials_directory);
  if (key && key->valid()) keys.push_back({seal.kind, std::move(*key)});
  if (seal.kind == "file") {
    auto next = OpenSealKey({seal.kind, seal.path + ".next"}, {});
    if (next) keys.push_back({"next", std::move(*next)});
  }
  if (!key && keys.empty()) return std::unexpected(key.error());
  return keys;
}

}  // namespace sidecar::supervisor
