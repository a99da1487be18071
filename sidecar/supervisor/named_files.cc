#include "sidecar/supervisor/named_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace sidecar::supervisor {

using broker::ErrorCode, broker::Fail, broker::Result;
using broker::policy::Config, broker::policy::Credential, broker::policy::Vault;

namespace {

constexpr const char* kIdentityHeader = "IDENTITY_HEADER";
constexpr std::string_view kEnvironment = "env:";

// "/folder/name" for a name that is one component, and no way up.
bool IsDirectlyIn(std::string_view folder, std::string_view place) {
  if (folder.empty() || !place.starts_with(folder)) return false;
  place.remove_prefix(folder.size());
  if (!place.starts_with('/')) return false;
  place.remove_prefix(1);
  return !place.empty() && place != "." && place != ".." && place.find('/') == place.npos &&
         place.find('\0') == place.npos;
}

bool Names(const Credential& credential, const std::string& place) {
  return (!credential.token_file.empty() && place == credential.token_file) ||
         IsDirectlyIn(credential.key_folder, place);
}

bool IsNamed(const Config& config, const std::string& place) {
  return std::ranges::any_of(config.credentials,
                             [&](const auto& named) { return Names(named.second, place); }) ||
         std::ranges::any_of(config.vaults, [&](const auto& named) {
           const Vault& vault = named.second;
           return IsDirectlyIn(vault.path, place) ||
                  (!vault.token_file.empty() && place == vault.token_file);
         });
}

Result<ipc::Fd> OpenIdentityHeader(const Config& config) {
  const bool used = std::ranges::any_of(
      config.credentials, [](const auto& named) { return named.second.source == "app-service"; });
  if (!used) return Fail(ErrorCode::kDenied, "no credential's source is app-service");
  // NOLINTNEXTLINE(concurrency-mt-unsafe): purserd never changes its environment
  const char* value = std::getenv(kIdentityHeader);
  if (value == nullptr) return Fail(ErrorCode::kNotFound, "IDENTITY_HEADER is not set for purserd");
  ipc::Fd memory(memfd_create("identity-header", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const size_t size = std::strlen(value);
  if (!memory.valid() || write(memory.get(), value, size) != static_cast<ssize_t>(size)) {
    return Fail(ErrorCode::kUnavailable, "no memory for IDENTITY_HEADER");
  }
  return memory;
}

}  // namespace

Result<ipc::Fd> OpenNamedFile(const Config& config, const std::string& place) {
  if (place == std::string(kEnvironment) + std::string(kIdentityHeader)) {
    return OpenIdentityHeader(config);
  }
  if (!IsNamed(config, place))
    return Fail(ErrorCode::kDenied, "the configuration does not name it");
  ipc::Fd file(open(place.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.valid()) return file;
  const int why = errno;
  const std::string detail = place + ": " + strerrorname_np(why);
  if (why == ENOENT || why == ENOTDIR) return Fail(ErrorCode::kNotFound, detail);
  if (why == EACCES || why == EPERM) return Fail(ErrorCode::kDenied, detail);
  return Fail(ErrorCode::kUnavailable, detail);
}

}  // namespace sidecar::supervisor
