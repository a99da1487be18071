// vault_adapters/mounted_files.h: secrets from files that the platform puts on this machine.
#pragma once
#include <string>

#include "broker/ports/vault.h"
#include "vault_adapters/secret_place.h"

namespace vault {

/// Opens files of one folder of the configuration. The broker opens none: the supervisor does, and
/// passes the descriptor. Thread-safe.
class FileSource {
 public:
  virtual ~FileSource() = default;
  /// A descriptor of the file as it is at this moment, for reading, without blocking on a pipe; the
  /// caller closes it. Symbolic links are followed: Kubernetes swaps a whole folder by one.
  /// Errors: kNotFound · kDenied (may not be opened) · kUnavailable.
  virtual broker::Result<int> Open(const std::string& name) = 0;
};

/// Kubernetes secret volumes, the Secrets Store CSI driver, systemd credentials
/// (`$CREDENTIALS_DIRECTORY`). Every fetch opens the file anew, so a swapped one is noticed at the
/// next; the version is the file's inode and modification time, which say nothing of its content.
/// One line feed at the end is not part of the secret: editors and `echo` put it there.
///
/// Refused: a file that everybody may read or others may write, with the chmod that mends it; what
/// is no regular file; an empty one; one over kMaxBytes; one that changes while it is read.
/// Thread-safe. Borrows `files`.
class MountedFiles final : public broker::Vault {
 public:
  // A private key with its chain has some 10 kB; Key Vault, which the CSI driver mounts, ends
  // at 25.
  static constexpr size_t kMaxBytes = size_t{64} << 10;

  /// `folder` is for error texts, as the configuration has it.
  MountedFiles(FileSource& files, std::string folder, SecretPlaces places)
      : files_(files), folder_(std::move(folder)), places_(std::move(places)) {}

  /// Errors also: kDenied (permissions, not a regular file) · kCorrupt (empty, too large) ·
  /// kUnavailable (changed meanwhile: ask again).
  broker::VaultResult<broker::VaultSecret> Fetch(const broker::SecretId& id) override;
  /// kInvalidRequest: who mounts the files replaces them.
  broker::VaultResult<std::string> Replace(const broker::SecretId& id,
                                           const std::string& expected_version,
                                           const broker::Secret& value) override;

 private:
  FileSource& files_;
  const std::string folder_;
  const SecretPlaces places_;
};

}  // namespace vault
