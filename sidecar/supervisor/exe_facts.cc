#include "sidecar/supervisor/exe_facts.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "sidecar/ipc/frame.h"

namespace sidecar::supervisor {
namespace {

using ipc::Fd;

std::optional<std::string> Sha256Of(int file, int64_t size) {
  constexpr size_t kChunk = size_t{256} << 10;
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  std::string chunk(kChunk, '\0');
  int64_t left = size;
  while (left > 0) {
    const ssize_t got = read(file, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;  // shorter than it was: somebody is writing it
    crypto_hash_sha256_update(&state, reinterpret_cast<const unsigned char*>(chunk.data()),
                              static_cast<unsigned long long>(got));
    left -= got;
  }
  if (left != 0) return std::nullopt;
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256_final(&state, digest.data());
  std::string hex(digest.size() * 2 + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), digest.data(), digest.size());
  hex.pop_back();
  return hex;
}

bool MayBeHashed(const struct stat& file) {
  return S_ISREG(file.st_mode) && file.st_uid == 0 && (file.st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
         file.st_size <= ExeFacts::kMaxHashedBytes;
}

}  // namespace

std::optional<std::string> ExeFacts::HashOf(int proc) {
  const Fd file(openat(proc, "exe", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat now{};
  if (!file.valid() || fstat(file.get(), &now) != 0 || !MayBeHashed(now)) return std::nullopt;
  const FileKey key{now.st_dev, now.st_ino, now.st_size, now.st_mtim.tv_sec, now.st_mtim.tv_nsec};
  if (const auto known = cache_.find(key); known != cache_.end()) return known->second.first;
  auto digest = Sha256Of(file.get(), now.st_size);
  if (!digest) return std::nullopt;
  if (cache_.size() >= kMaxCached) {
    cache_.erase(std::ranges::min_element(cache_, {},
                                          [](const auto& entry) { return entry.second.second; }));
  }
  cache_[key] = {*digest, ++hashed_};
  return digest;
}

void ExeFacts::Read(int proc, const std::string& configured, bool hash,
                    broker::policy::Facts* facts) {
  std::string path(PATH_MAX, '\0');
  const ssize_t length = readlinkat(proc, "exe", path.data(), path.size());
  if (length <= 0) return;  // no CAP_SYS_PTRACE, or a kernel thread
  path.resize(static_cast<size_t>(length));
  facts->exe_path = std::move(path);

  struct stat running{};
  struct stat wanted{};
  if (!configured.empty() && fstatat(proc, "exe", &running, 0) == 0 &&
      stat(configured.c_str(), &wanted) == 0) {
    facts->exe_matches = running.st_dev == wanted.st_dev && running.st_ino == wanted.st_ino;
  }
  if (hash) facts->exe_sha256 = HashOf(proc).value_or("");
}

}  // namespace sidecar::supervisor
