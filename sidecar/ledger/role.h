// sidecar/ledger/role.h: the ledger process: channels in, one write and one sync, answers out.
#pragma once
#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "broker/base/log.h"
#include "broker/base/result.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"
#include "sidecar/ledger/archiver.h"
#include "sidecar/ledger/audit_reader.h"
#include "sidecar/ledger/disk.h"
#include "sidecar/ledger/writer.h"

namespace sidecar::ledger {

struct RoleOptions {
  Writer::Identity identity;
  uint64_t reserve_bytes = Segments::kDefaultReserveBytes;
  std::string latched;  // why an earlier process of this daemon had latched; empty: it had not
};

/// Runs on the calling thread, and one more for reading. Borrows what it is given.
class Role {
 public:
  // The head goes to the operational log this often while there is news: what log shipping took
  // away by then, nobody can rewrite.
  static constexpr std::chrono::seconds kHeadLogInterval{60};

  Role(Disk& disk, const RoleOptions& options, Writer::Ports ports, ipc::Fd control);

  /// Opens (or recovers) the ledger, unless it begins latched, and starts the reader.
  /// REQUIRES: hardened.
  broker::Status Start();
  /// Sends kStarted with `findings`, serves until kStop or until the supervisor is gone, and leaves
  /// everything written. Returns the process's exit code.
  int Serve(const std::string& findings);

 private:
  // Broker, supervisor, dialer: in the order of Origin.
  static constexpr size_t kAppenders = 3;
  struct Appender {
    ipc::Fd channel;
    std::vector<ipc::Ack> acks;  // their texts point into the writer's answers
    bool asked_state = false;
    bool asked_resume = false;
    std::string archive;  // an order that is being followed; empty: none
  };

  void WaitForNews();
  void Turn();
  void Publish();
  void DrainChannels();
  void Drain(size_t index);
  bool Take(size_t index, ipc::Message& received);
  void Answer(const std::vector<ledger::Answer>& answers);
  void SendAcks(Appender& to);
  void AnswerQuestions();
  void AnswerOrder(Appender& appender);
  [[nodiscard]] ipc::LedgerState StateNow() const;
  void ReadControl();
  void TakeChannel(size_t index, ipc::Message& message);
  void Tell(ipc::MessageType type, const std::string& text);
  void TellLatch();
  void LogHead(bool now);
  void Finish();

  Disk& disk_;
  Writer::Ports ports_;
  Segments segments_;
  Writer writer_;
  Archiver archiver_;
  AuditReader reader_;
  std::string log_name_;
  std::string begins_latched_;
  std::string told_latch_;  // what the supervisor knows; empty: open
  ipc::Fd control_;
  std::array<Appender, kAppenders> appenders_;
  ipc::Message message_;  // reused: no allocation per append
  std::string out_;
  bool stopping_ = false;
  bool asked_to_stop_ = false;
  uint64_t logged_seq_ = 0;
  uint64_t published_seq_ = 0;
  uint64_t saved_seq_ = 0;
  broker::Clock::Steady next_head_log_;
};

}  // namespace sidecar::ledger
