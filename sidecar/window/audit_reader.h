// sidecar/window/audit_reader.h: the window's channel to the ledger, for reading alone.
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "sidecar/ipc/frame.h"
#include "sidecar/window/timing.h"

namespace sidecar::window {

/// Shared by the window's connections, one question at a time. The ledger knows from the channel
/// whose trail may be read. Thread-safe.
class AuditReader {
 public:
  // Entries in an answer; the ledger bounds it by bytes besides.
  static constexpr uint32_t kPageEntries = 100;

  explicit AuditReader(std::chrono::milliseconds patience) : patience_(patience) {}

  /// Uses `channel` from now on. Never waits for a question under way.
  void Attach(ipc::Fd channel);
  /// The JSON of GET /v1/audit; nothing while the ledger cannot be asked.
  std::optional<std::string> Read(uint64_t after);

 private:
  std::optional<std::string> Ask(int channel, uint64_t after) const;

  std::chrono::milliseconds patience_;
  std::mutex turn_;
  std::mutex channel_mutex_;
  std::shared_ptr<ipc::Fd> channel_;
};

}  // namespace sidecar::window
