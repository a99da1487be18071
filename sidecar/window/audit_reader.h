// sidecar/window/audit_reader.h: the window's channel to the ledger, for reading alone.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>

#include "sidecar/ipc/frame.h"
#include "sidecar/window/poller.h"
#include "sidecar/window/timing.h"

namespace sidecar::window {

/// Shared by the window's connections, one question at a time, in their order. The ledger knows
/// from the channel whose trail may be read. Never waits. Not thread-safe.
class AuditReader {
 public:
  // Entries in an answer; the ledger bounds it by bytes besides.
  static constexpr uint32_t kPageEntries = 100;

  /// Takes the page for the connection in `slot`: the JSON of GET /v1/audit, valid during the call;
  /// nothing while the ledger cannot be asked. Called once for each question, never within Ask.
  using Answered = std::function<void(size_t slot, std::optional<std::string_view> page)>;

  AuditReader(std::chrono::milliseconds patience, Poller& poller, Answered answered)
      : patience_(patience), poller_(poller), answered_(std::move(answered)) {}

  /// Uses `channel` from now on; a question under way keeps the old one.
  void Attach(ipc::Fd channel);
  /// Asks for what follows `after`. The connection in `slot` has no other question.
  void Ask(size_t slot, uint64_t after);
  /// The connection in `slot` has ended: nobody wants its answer.
  void Forget(size_t slot);

  /// To be called in each round, and when the channel has something to say.
  void Advance(Deadline now);
  void OnChannel(Deadline now);
  /// Until when Advance has to be called at the latest; at once if it has something to do.
  [[nodiscard]] Deadline deadline() const;

 private:
  struct Question {
    std::optional<size_t> slot;  // nothing: its connection has ended
    uint64_t after = 0;
  };

  bool Send(uint64_t after) const;
  void Finish(std::optional<std::string_view> page);
  void GiveUp();
  void Drop();

  std::chrono::milliseconds patience_;
  Poller& poller_;
  Answered answered_;
  ipc::Fd channel_;
  ipc::Fd successor_;  // attached while a question is under way
  ipc::Message page_;
  std::deque<Question> questions_;  // the first is under way, if asking_
  bool asking_ = false;
  size_t late_ = 0;  // answers that nobody waits for any more, and that come before all others
  Deadline patience_ends_ = kNever;
};

}  // namespace sidecar::window
