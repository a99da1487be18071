// sidecar/ledger/writer.h: the one order of events: rights, kills, floods, chain, commit, latch.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/log.h"
#include "broker/ledger/entry.h"
#include "broker/ledger/line_writer.h"
#include "broker/ports/clock.h"
#include "broker/ports/random.h"
#include "sidecar/ledger/flood_gate.h"
#include "sidecar/ledger/origin.h"
#include "sidecar/ledger/segments.h"

namespace sidecar::ledger {

/// Whom an answer goes to.
struct Ticket {
  size_t channel = 0;
  uint64_t id = 0;  // the appender's
};

/// The answer to one append, after Commit.
struct Answer {
  Ticket ticket;
  std::optional<broker::Error> error;  // absent: durable, or counted (seq 0)
  uint64_t seq = 0;
  broker::ledger::Leaf leaf = broker::ledger::kNoLeaf;
};

/// Not thread-safe: one thread adds entries and commits them together.
class Writer {
 public:
  struct Identity {
    std::string log, tenant, boot;
  };
  struct Ports {
    const broker::Clock& clock;
    broker::Random& random;
    const broker::Log& log;
  };
  // One commit's worth: bounds memory and the time until the first of them is answered.
  static constexpr size_t kMaxBatchBytes = size_t{1} << 20;

  Writer(Segments& segments, Identity identity, Ports ports)
      : segments_(segments), identity_(std::move(identity)), ports_(ports) {}

  /// Recovers and records what was put right. What it cannot recover from latches: the ledger runs
  /// on and denies, so that `purser status` can say why.
  void Start();
  /// Begins as its predecessor in this daemon ended: latched with its reason, no file touched,
  /// until Resume. REQUIRES: `why` is not empty.
  void StartLatched(const std::string& why) { Close(Latch::kClosed, why); }

  /// Puts an entry into the batch, or refuses it; either way Commit answers it.
  void Add(const Ticket& ticket, Origin origin, const broker::ledger::Entry& entry);
  [[nodiscard]] bool BatchIsFull() const { return batch_.size() >= kMaxBatchBytes; }

  /// Makes the batch durable with one write and one sync, and returns the answers to all that was
  /// added since the last call; valid until the next Add. If it fails, all of the batch is
  /// kUnavailable, and the latch closes.
  const std::vector<Answer>& Commit();
  /// Overwrites the head file. Apart from Commit, so that nobody waits for it.
  void SaveHead();

  /// Writes the counts of floods whose window is over (`all`: of every one).
  void WriteCounts(bool all);
  [[nodiscard]] broker::Clock::Steady NextCount() const { return floods_.NextEnd(); }

  /// An operator's `purser ledger resume`: opens the files anew, checks the tail, writes
  /// ledger.recovered. Stays latched if the cause is not gone. Nothing happens when not latched.
  void Resume();

  /// An entry of the ledger's own, made durable at once. REQUIRES: nothing was added since Commit.
  /// Errors: kUnavailable (latched).
  broker::Status AppendOwn(const broker::ledger::Entry& entry);

  /// Closed latch: its reason; open: empty.
  [[nodiscard]] const std::string& latch() const { return latch_; }
  /// As far as it was acknowledged.
  [[nodiscard]] const broker::ledger::Head& head() const { return acknowledged_; }
  [[nodiscard]] const Segments& segments() const { return segments_; }
  [[nodiscard]] const Ports& ports() const { return ports_; }

 private:
  // What is still accepted: all, only what stops purser (the disk is full), nothing.
  enum class Latch { kOpen, kEssentialOnly, kClosed };

  void Reopen(const broker::ledger::Head* acknowledged, std::string resumed_from);
  std::optional<broker::Error> TryAdd(Origin origin, const broker::ledger::Entry& entry,
                                      Answer* answer);
  std::optional<broker::Error> Room(bool essential);
  std::optional<broker::Error> CountOnly(const broker::ledger::Entry& entry,
                                         broker::Clock::Wall now);
  [[nodiscard]] broker::ledger::Place PlaceOfNext(broker::Clock::Wall now) const;
  broker::Status Chain(const broker::ledger::Entry& entry, broker::Clock::Wall now, Answer* answer);
  void Close(Latch how, const std::string& why);
  void CloseForGood();
  void FailBatch();
  void Record(const std::vector<Repair>& repairs, const std::string& resumed_from);
  bool AddOwn(const broker::ledger::Entry& entry);
  void FillRandom(std::span<uint8_t> out);

  Segments& segments_;
  Identity identity_;
  Ports ports_;
  FloodGate floods_;
  Latch state_of_latch_ = Latch::kClosed;
  std::string latch_ = "not started";
  broker::ledger::State state_;        // with the batch
  broker::ledger::Head acknowledged_;  // without it
  bool opened_once_ = false;
  std::string batch_;
  uint64_t last_line_at_ = 0;  // in the batch
  std::vector<Answer> answers_;
  std::vector<Answer> handed_out_;
  std::vector<broker::ledger::Entry> counts_in_batch_;
  std::array<std::byte, 2600> random_{};  // of a hundred entries; none of it is secret
  size_t random_used_ = random_.size();
};

}  // namespace sidecar::ledger
