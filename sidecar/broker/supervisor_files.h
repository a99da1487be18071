// sidecar/broker/supervisor_files.h: files that the supervisor opens for the broker.
#pragma once
#include <string>
#include <utility>

#include "broker/ports/token_files.h"
#include "sidecar/broker/supervisor_link.h"
#include "vault_adapters/mounted_files.h"

namespace sidecar::broker_role {

/// Asks for each file anew, so that what the platform replaced is noticed. Thread-safe; blocks on
/// the supervisor. Borrows `supervisor`.
class SupervisorFiles final : public broker::TokenFiles {
 public:
  explicit SupervisorFiles(SupervisorLink& supervisor) : supervisor_(supervisor) {}
  broker::Result<broker::Secret> Read(const std::string& place) override;
  /// A descriptor of what is at `place` now. Errors: kNotFound · kDenied · kUnavailable.
  broker::Result<ipc::Fd> Open(const std::string& place);

 private:
  SupervisorLink& supervisor_;
};

/// The files of one mounted vault. Thread-safe. Borrows `files`.
class FolderFiles final : public vault::FileSource {
 public:
  FolderFiles(SupervisorFiles& files, std::string folder)
      : files_(files), folder_(std::move(folder)) {}
  broker::Result<int> Open(const std::string& name) override;

 private:
  SupervisorFiles& files_;
  const std::string folder_;
};

}  // namespace sidecar::broker_role
