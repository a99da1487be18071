#include "vault_adapters/mounted_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace vault {
namespace {

using broker::ErrorCode, broker::Exit, broker::Fail, broker::Result, broker::Secret,
    broker::SecretId, broker::VaultResult, broker::VaultSecret;

struct Descriptor {
  int fd = -1;
  explicit Descriptor(int opened) : fd(opened) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(fd); }
};

// A name in the folder, nothing that leads out of it or into what Kubernetes keeps for itself.
bool IsFileName(const std::string& name) {
  return !name.empty() && name.size() <= 255 && name.front() != '.' &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f && c != '/'; });
}

std::string Octal(mode_t mode) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode));
  return text.data();
}

broker::Status CheckFile(const struct stat& file, const std::string& path) {
  if (!S_ISREG(file.st_mode)) {
    return Fail(ErrorCode::kDenied, path + " is not a regular file");
  }
  constexpr mode_t kTooOpen = S_IRWXO | S_IWGRP;
  if ((file.st_mode & kTooOpen) != 0) {
    const mode_t mended = file.st_mode & (S_IRWXU | S_IRGRP);
    return Fail(ErrorCode::kDenied,
                path + " is open to others: `chmod " + Octal(mended) + " " + path +
                    "`; for a Kubernetes volume, defaultMode: " + Octal(mended & 0440) +
                    "; for the Secrets Store CSI driver, filePermission: " + Octal(mended & 0440));
  }
  if (file.st_size == 0) return Fail(ErrorCode::kCorrupt, path + " is empty");
  if (std::cmp_greater(file.st_size, MountedFiles::kMaxBytes)) {
    return Fail(ErrorCode::kCorrupt, path + " is larger than 64 KiB");
  }
  return {};
}

std::string VersionOf(const struct stat& file) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%llu-%lld.%09ld",
                static_cast<unsigned long long>(file.st_ino),
                static_cast<long long>(file.st_mtim.tv_sec), file.st_mtim.tv_nsec);
  return text.data();
}

// Exactly `size` bytes and then the end; false: the file is not what fstat said.
bool ReadWhole(int fd, Secret* content) {
  const auto room = content->Writable();
  size_t filled = 0;
  while (filled < room.size()) {
    const ssize_t got =
        pread(fd, room.data() + filled, room.size() - filled, static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    filled += static_cast<size_t>(got);
  }
  char more = 0;
  return pread(fd, &more, 1, static_cast<off_t>(filled)) == 0;
}

Result<VaultSecret> ReadFile(int fd, const std::string& path) {
  struct stat before{};
  if (fstat(fd, &before) != 0) return Fail(ErrorCode::kUnavailable, path + " cannot be examined");
  if (const auto fits = CheckFile(before, path); !fits) return std::unexpected(fits.error());
  VaultSecret secret{.value = Secret::Allocate(static_cast<size_t>(before.st_size)),
                     .version = VersionOf(before),
                     .host = {},
                     .expires = {}};
  const bool whole = ReadWhole(fd, &secret.value);
  struct stat after{};
  if (!whole || fstat(fd, &after) != 0 || VersionOf(after) != secret.version) {
    return Fail(ErrorCode::kUnavailable, path + " changed while it was read: replace it by rename");
  }
  if (secret.value.Expose(Exit::kInspectClaims).ends_with('\n')) {
    secret.value.Truncate(secret.value.size() - 1);
  }
  if (secret.value.empty()) return Fail(ErrorCode::kCorrupt, path + " is empty");
  return secret;
}

}  // namespace

VaultResult<VaultSecret> MountedFiles::Fetch(const SecretId& id) {
  const auto found = places_.find(id);
  if (found == places_.end()) {
    return Fail(ErrorCode::kNotFound, folder_ + ": the configuration names no file for " + id.name);
  }
  const std::string& name = found->second.name;
  if (!IsFileName(name)) return Fail(ErrorCode::kInvalidRequest, "not the name of a mounted file");
  const auto opened = files_.Open(name);
  if (!opened) {
    return Fail(opened.error().code, folder_ + "/" + name + ": " + opened.error().detail);
  }
  const Descriptor file(*opened);
  return ReadFile(file.fd, folder_ + "/" + name);
}

VaultResult<std::string> MountedFiles::Replace(const SecretId& /*id*/,
                                               const std::string& /*expected_version*/,
                                               const Secret& /*value*/) {
  return Fail(ErrorCode::kInvalidRequest,
              folder_ + " is mounted: replace the secret where the platform keeps it");
}

}  // namespace vault
