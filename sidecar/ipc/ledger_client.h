// sidecar/ipc/ledger_client.h: a broker::LedgerSink over the channel to the ledger.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "broker/ports/ledger_sink.h"
#include "sidecar/ipc/frame.h"
#include "sidecar/ipc/messages.h"

namespace sidecar::ipc {

class LedgerChannel;

/// Many threads share one channel. Of those that wait for an answer one receives for all and wakes
/// the others (LedgerWaiters). A process of which some threads may not wait has one in Attend(),
/// which receives for all.
///
/// Thread-safe. Used by broker, supervisor and dialer. Needs sendmsg, recvmsg, setsockopt, shutdown
/// and futex of a seccomp filter.
class LedgerClient final : public broker::LedgerSink {
 public:
  // A disk that takes longer is as good as gone for a request that somebody waits for. An entry may
  // still become durable after that: an entry without a release, never the reverse.
  static constexpr std::chrono::seconds kAckDeadline{5};

  enum class Receiver {
    kWaiters,    // whoever waits
    kAttendant,  // the thread in Attend()
  };

  explicit LedgerClient(std::chrono::milliseconds ack_deadline = kAckDeadline,
                        Receiver receiver = Receiver::kWaiters)
      : ack_deadline_(ack_deadline), receiver_(receiver) {}
  LedgerClient(const LedgerClient&) = delete;
  LedgerClient& operator=(const LedgerClient&) = delete;
  ~LedgerClient() override;

  /// The channel to a (re)started ledger. Appends in flight on the old one fail with kUnavailable.
  void Reset(Fd channel);

  /// As LedgerSink says; kUnavailable also without a channel and after the deadline.
  broker::Result<broker::LedgerReceipt> Append(const broker::ledger::Entry& entry) override;

  /// As LedgerSink says; `done` runs on the thread in Attend(), or on this one if nothing can be
  /// sent. It gets kUnavailable before the deadline has passed twice. One that throws is dropped.
  /// REQUIRES: kAttendant.
  void AppendThen(const broker::ledger::Entry& entry, Done done) override;

  /// From here to Release(), what this thread gives to AppendThen waits, to be sent together: a
  /// thread that serves many wakes the ledger once for all. For one thread.
  void Hold();
  void Release();

  /// Receives for all until the stop is requested, which closes the channel. After each batch of
  /// acknowledgements `rest` is called. REQUIRES: kAttendant, one thread.
  void Attend(const std::stop_token& stop, const std::function<void()>& rest);

  /// Errors: kUnavailable.
  broker::Result<LedgerState> Query() { return Ask(MessageType::kLedgerQuery); }
  /// Has the ledger leave its latch if the cause is gone; the answer says whether it did.
  broker::Result<LedgerState> Resume() { return Ask(MessageType::kLedgerResume); }
  /// Has the ledger move a closed segment to its archive, or say what it would; JSON as
  /// sidecar/ledger/archiver.h has it. A segment that takes longer than the deadline to read is
  /// moved all the same. Errors: kUnavailable.
  broker::Result<std::string> Archive(const std::string& order);
  /// A channel of the broker's own to the thread beside the writer, for kReadAudit: what it
  /// released and has not expired, of all agents. Sends and receives there end after the deadline.
  /// Errors: kUnavailable.
  broker::Result<Fd> OpenReader();

 private:
  std::shared_ptr<LedgerChannel> Current();
  std::shared_ptr<LedgerChannel> WaitForOpen(const std::stop_token& stop);
  broker::Result<LedgerState> Ask(MessageType question);

  const std::chrono::milliseconds ack_deadline_;
  const Receiver receiver_;
  std::atomic<uint64_t> next_id_{1};
  std::atomic<std::thread::id> holder_;
  std::mutex mutex_;  // guards channel_
  std::condition_variable_any replaced_;
  std::shared_ptr<LedgerChannel> channel_;
  std::mutex ask_mutex_;  // answers to questions carry no id: one at a time
};

}  // namespace sidecar::ipc
