#pragma once
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <string>

#include "sidecar/ledger/disk.h"

/// A real folder whose operations fail, or kill the process, on demand.
class FaultyDisk final : public sidecar::ledger::Disk {
 public:
  explicit FaultyDisk(const std::string& path)
      : Disk(sidecar::ipc::Fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
             sidecar::ipc::Fd(open((path + "/..").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
             path.substr(path.rfind('/') + 1)) {}

  /// Operation name ("sync") -> errno with which it fails from now on.
  std::map<std::string, int> fails_with;
  /// How often each operation was asked for.
  std::map<std::string, int> asked;
  /// SIGKILL to this process in the middle of the n-th change to the folder; 0: never.
  int dies_at = 0;

  broker::Result<sidecar::ipc::Fd> Open(const std::string& name, How how, bool create) override {
    if (auto fault = Before(create ? "create" : "open", create)) return std::unexpected(*fault);
    return Disk::Open(name, how, create);
  }
  broker::Status Append(int fd, std::string_view bytes) override {
    // A write is where half of it may be done.
    if (dies_at != 0 && dies_at == changes_ + 1) {
      [[maybe_unused]] const auto half = Disk::Append(fd, bytes.substr(0, bytes.size() / 2));
    }
    if (fails_with.contains("append")) {
      [[maybe_unused]] const auto half = Disk::Append(fd, bytes.substr(0, bytes.size() / 2));
    }
    if (auto fault = Before("append", true)) return std::unexpected(*fault);
    return Disk::Append(fd, bytes);
  }
  broker::Status Sync(int fd) override {
    if (auto fault = Before("sync", true)) return std::unexpected(*fault);
    return Disk::Sync(fd);
  }
  broker::Status SyncFolder() override {
    if (auto fault = Before("sync_folder", true)) return std::unexpected(*fault);
    return Disk::SyncFolder();
  }
  broker::Status Reserve(int fd, uint64_t offset, uint64_t bytes) override {
    if (auto fault = Before("reserve", true)) return std::unexpected(*fault);
    return Disk::Reserve(fd, offset, bytes);
  }
  broker::Status Overwrite(int fd, std::string_view bytes) override {
    if (auto fault = Before("overwrite", true)) return std::unexpected(*fault);
    return Disk::Overwrite(fd, bytes);
  }
  broker::Status Truncate(int fd, uint64_t size) override {
    if (auto fault = Before("truncate", true)) return std::unexpected(*fault);
    return Disk::Truncate(fd, size);
  }
  broker::Status Rename(const std::string& from, const std::string& to) override {
    if (auto fault = Before("rename", true)) return std::unexpected(*fault);
    return Disk::Rename(from, to);
  }

  broker::Status MoveToArchive(const std::string& name) override {
    if (auto fault = Before("archive", true)) return std::unexpected(*fault);
    return Disk::MoveToArchive(name);
  }

 private:
  std::optional<broker::Error> Before(const std::string& operation, bool changes) {
    ++asked[operation];
    if (changes && ++changes_ == dies_at) kill(getpid(), SIGKILL);
    const auto fault = fails_with.find(operation);
    if (fault == fails_with.end()) return std::nullopt;
    return broker::Error{broker::ErrorCode::kUnavailable,
                         operation + " failed: " + strerrorname_np(fault->second)};
  }
  int changes_ = 0;
};
