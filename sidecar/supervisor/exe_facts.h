// sidecar/supervisor/exe_facts.h: what a process runs. Catches accidents, not attackers (design
// §2).
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "broker/policy/facts.h"

namespace sidecar::supervisor {

/// Reads the executable behind /proc/<pid>/exe. Needs CAP_SYS_PTRACE for other users' processes;
/// without it the facts stay absent. Not thread-safe: keeps hashes of files.
class ExeFacts {
 public:
  // A hash is taken on the accepting thread: about half a second for the largest file, once.
  static constexpr int64_t kMaxHashedBytes = int64_t{256} << 20;
  // Files of this many agents and versions; the oldest hashes go first when there are more.
  static constexpr size_t kMaxCached = 64;

  /// Fills exe_path; exe_matches if `configured` is not empty, by device and inode through the
  /// magic link; exe_sha256 if `hash`, of a regular file that root owns and nobody else may write.
  /// `proc` is a descriptor of /proc/<pid>.
  void Read(int proc, const std::string& configured, bool hash, broker::policy::Facts* facts);

  /// Hashes so far that were not answered from the cache.
  [[nodiscard]] uint64_t hashed() const { return hashed_; }

 private:
  // Device, inode, size, seconds and nanoseconds of the last change of the content.
  using FileKey = std::tuple<uint64_t, uint64_t, int64_t, int64_t, int64_t>;
  std::optional<std::string> HashOf(int proc);
  std::map<FileKey, std::pair<std::string, uint64_t>> cache_;
  uint64_t hashed_ = 0;
};

}  // namespace sidecar::supervisor
