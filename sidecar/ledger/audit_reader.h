// sidecar/ledger/audit_reader.h: the thread beside the writer that serves GET /v1/audit.
#pragma once
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "broker/base/log.h"
#include "broker/ports/clock.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"
#include "sidecar/ledger/audit_page.h"
#include "sidecar/ledger/disk.h"

namespace sidecar::ledger {

/// Reads files on its own, so that no reader delays a commit. One page per agent and round: an
/// agent that asks all the time delays the others by one page each. The broker is one more.
class AuditReader {
 public:
  AuditReader(Disk& disk, const broker::Log& log, const broker::Clock& clock)
      : disk_(disk), log_(log), clock_(clock) {}
  ~AuditReader() { Stop(); }
  AuditReader(const AuditReader&) = delete;
  AuditReader& operator=(const AuditReader&) = delete;

  // After a failed poll: the kernel is out of memory, and no agent's trail is urgent.
  static constexpr std::chrono::milliseconds kRetryAfter{1000};

  /// Errors: kUnavailable (no descriptor, no thread to be had).
  broker::Status Start();
  void Stop();

  // In an agent's place: who asks for what is alive of all (ReadAlive).
  static constexpr const char* kBroker = "";

  /// A channel over which the window of `agent`, or kBroker, asks; replaces an earlier one.
  /// Thread-safe.
  void AddChannel(const std::string& agent, ipc::Fd channel);
  /// What may be read from now on. Thread-safe; after each commit, cheap while no segment is new.
  void Publish(const std::vector<broker::ledger::SegmentName>& segments, uint64_t last_size,
               uint64_t seq);

 private:
  void Run();
  broker::Status ServeRound();
  void Pause();
  bool Stopped();
  void TakeNewChannels();
  void Serve(const std::string& agent, const ipc::Fd& channel, bool* keep);
  std::string PageOf(const std::string& agent, const ipc::ReadAudit& wanted);
  void Wake();

  Disk& disk_;
  const broker::Log& log_;
  const broker::Clock& clock_;
  ipc::Fd wake_;
  std::thread thread_;
  std::map<std::string, ipc::Fd> channels_;  // of the thread
  std::mutex mutex_;                         // guards what follows
  bool stopping_ = false;
  std::vector<std::pair<std::string, ipc::Fd>> new_channels_;
  DurableEnd end_;
};

}  // namespace sidecar::ledger
