// broker/ports/token_files.h: proofs that the platform puts on this machine and replaces at will.
#pragma once
#include <string>

#include "broker/base/result.h"
#include "broker/base/secret.h"

namespace broker {

/// The broker opens no files: somebody else does, at configured places only. Thread-safe.
class TokenFiles {
 public:
  // A projected token has 1 to 2 kB; with many claims somewhat more.
  static constexpr size_t kMaxBytes = size_t{16} << 10;

  virtual ~TokenFiles() = default;
  /// The content at this moment, never a kept copy: the platform replaces it before it expires.
  /// `place` is the absolute path of a regular file that the configuration names, a file directly
  /// in a folder that it names, or "env:IDENTITY_HEADER", which App Service sets for purserd.
  /// Errors: kNotFound · kDenied (not a configured place, not readable) · kCorrupt (over kMaxBytes,
  /// not a regular file) · kUnavailable.
  virtual Result<Secret> Read(const std::string& place) = 0;
};

}  // namespace broker
