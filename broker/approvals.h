// broker/approvals.h: requests that a person must say yes to.
#pragma once
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "broker/approval.h"
#include "broker/policy/facts.h"
#include "broker/policy/person.h"
#include "broker/ports/ledger_sink.h"
#include "broker/ports/random.h"
#include "broker/ports/sealed_store.h"
#include "broker/reason.h"

namespace broker {

class Approvals;

/// One use of a granted approval, kept for one request. Given back when it goes without Use.
class ApprovalPass {
 public:
  ApprovalPass(Approvals& owner, const Approval& approval);
  ApprovalPass(ApprovalPass&& other) noexcept;
  ApprovalPass& operator=(ApprovalPass&&) = delete;
  ~ApprovalPass();

  std::string id, digest, by;  // for the entry of the release

 private:
  friend class Approvals;
  Approvals* owner_;
};

/// Who asks, who may decide, and what was decided. What is open survives a restart: it is in the
/// store before anybody is told. Thread-safe. The calls that say so wait for store and ledger.
class Approvals {
 public:
  // Against the tiredness of those who are asked: of one agent, at a time and in an hour.
  static constexpr size_t kMaxOpenPerAgent = 5;
  static constexpr size_t kMaxPerHour = 20;
  // Of all agents: one row of the store each, read at the start.
  static constexpr size_t kMaxKept = 256;
  // An agent whose last one was not granted waits before it may open another, twice as long each
  // time.
  static constexpr std::chrono::seconds kFirstPause{30};
  static constexpr std::chrono::minutes kLongestPause{30};
  // What was denied is refused for so long without asking anybody, whatever else is claimed.
  static constexpr std::chrono::hours kRemembered{1};
  static constexpr std::chrono::seconds kShortestInterval{5};  // RFC 8628 §3.5
  static constexpr std::chrono::seconds kLongestInterval{60};

  struct Ports {
    SealedStore& store;
    LedgerSink& ledger;
    const Clock& clock;
    Random& random;
    std::function<bool(std::string_view agent)> stopped;
    // Told of each that was opened, once it is in ledger and store; must not wait. Empty: nobody
    // is.
    std::function<void(const Approval&)> opened = {};
  };
  explicit Approvals(Ports ports) : ports_(std::move(ports)) {}

  /// Reads what a predecessor left; that of agents that are stopped has ended. Once, before
  /// anything is asked. Errors: the store's. Waits.
  Status Load();

  /// What the agent gets now: a use, kApprovalPending with the approval that waits (a new one has
  /// its entry and its row by then), kApprovalDenied, kApprovalExpired (it named that one),
  /// kApprovalMismatch (it named one that is used, being used, or not for this), kApprovalLimit
  /// (too many; with the time to wait), kLedgerUnavailable, kStoreUnavailable. Waits.
  std::expected<ApprovalPass, Refusal> Ask(const ApprovalAsk& ask);
  /// Counts the use, durably: what follows may release one token. After a crash it is used, too.
  /// Refuses where it ended meanwhile. Waits.
  std::optional<Refusal> Use(const ApprovalPass& pass);

  /// Calls `resume` once, when the approval is no longer pending, at `until`, or at Close().
  /// Neither it nor its destruction may block. What a stop ended is dropped without a call.
  void Hold(const std::string& id, Clock::Steady until, std::move_only_function<void()> resume);
  /// Resumes all that is held, and from now on at once.
  void Close();

  /// What a person says, who saw what has this digest; a no also takes back what was granted and is
  /// not used. REQUIRES: one of `person` and `signed_in`. Refuses: kNotFound, kConflict (over,
  /// granted or said yes to already, or another digest), kOwnRequest, kRoleMissing (not in a group
  /// of the rule's `by`). `who` is the entry of the action: caller, request. Waits.
  struct Decision {
    std::string id, digest;
    const policy::Facts* person = nullptr;      // at the operator's socket; null: elsewhere
    const policy::Person* signed_in = nullptr;  // the same, proven by the tenant
    /// Groups of the asking agent's selectors: whoever is in one could be the asker.
    std::vector<uint32_t> asker_gids;
    std::string why;
    ledger::Entry who;
    std::string how = "admin_socket";  // the way that it came, as the entry has it
    std::string message = {};          // id of what it was said with, elsewhere
  };
  std::expected<Approval, Refusal> Approve(const Decision& decision) {
    return Decide(decision, true);
  }
  std::expected<Approval, Refusal> Deny(const Decision& decision) {
    return Decide(decision, false);
  }

  /// All that are known; what ended, for kRemembered at least. Newest first.
  [[nodiscard]] std::vector<Approval> List() const;
  [[nodiscard]] std::optional<Approval> Find(const std::string& id) const;
  /// Seconds that an agent should wait between two questions about it: longer as it gets older.
  [[nodiscard]] std::chrono::seconds IntervalOf(const Approval& approval) const;
  [[nodiscard]] std::chrono::seconds LeftOf(const Approval& approval) const;

  /// Ends all that is open of the agent, or of all where it is empty. Does not wait: store and
  /// ledger are told by Tick(). REQUIRES: who is held has been answered, and `stopped` says so.
  void EndAll(std::string_view agent);

  /// Ends what is open for one of these credentials: a yes was to what they were. Does not wait:
  /// who is held is resumed by Tick(), too.
  void EndOf(const std::set<std::string>& credentials);

  /// Waits until Tick() has something to do; false when stopped.
  bool WaitDue(const std::stop_token& stop);
  /// Ends what has run out, records it, and resumes whoever was held until now. Waits.
  void Tick();

 private:
  friend class ApprovalPass;
  struct Held {
    std::string id;
    Clock::Steady until;
    std::move_only_function<void()> resume;
  };
  using Answered = std::optional<std::expected<ApprovalPass, Refusal>>;

  Answered Resume(const ApprovalAsk& ask);                       // under mutex_
  std::expected<ApprovalPass, Refusal> PassOf(Approval& found);  // under mutex_
  Refusal PendingOf(const Approval& approval) const;
  std::optional<Refusal> TooMany(const std::string& agent) const;  // under mutex_
  std::optional<size_t> FreeSlot();                                // under mutex_
  size_t TakeSlot(const std::string& id);                          // under mutex_
  Refusal Open(const ApprovalAsk& ask);                            // under turn_
  std::expected<Approval, Refusal> Decide(const Decision& decision, bool yes);
  std::expected<Approval, Refusal> DecideInTurn(const Decision& decision, bool yes);
  std::expected<Approval, Refusal> Votable(const Decision& decision, bool yes);
  std::expected<Approval, Refusal> Put(Approval changed);  // under turn_
  bool Write(const Approval& approval);                    // under turn_
  ledger::Entry EntryOf(const Approval& approval, ledger::EntryType type) const;
  void Settle();                                                // under turn_
  void End(Approval& approval, ApprovalState state) const;      // under mutex_
  void EndIfOver(Approval& approval, Clock::Steady now) const;  // under mutex_
  std::vector<Held> TakeReady();                                // under mutex_
  void ResumeReady();
  void GiveBack(const std::string& id);
  [[nodiscard]] Clock::Steady NextDue() const;  // under mutex_
  void Changed() {                              // under mutex_
    ++changes_;
    changed_.notify_all();
  }

  Ports ports_;
  std::mutex turn_;  // one change at a time, from what it was to the row that says so
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Approval> approvals_;  // by id
  std::vector<Held> held_;
  std::map<std::string, Clock::Steady> unkept_;  // agents whose last had no row: not before then
  Clock::Steady retry_ = Clock::Steady::min();   // what could not be recorded, not before
  size_t slots_ = 0;                             // rows that there are
  uint64_t changes_ = 0;                         // of what is due when
  bool closed_ = false;
  bool loaded_ = false;
};

}  // namespace broker
