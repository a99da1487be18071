// sidecar/broker/timed_roles.h: roles that an operator gave for a time.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "broker/ledger/entry.h"
#include "broker/policy/config.h"
#include "broker/policy/facts.h"
#include "broker/policy/person.h"
#include "broker/ports/clock.h"
#include "broker/ports/ledger_sink.h"
#include "broker/ports/sealed_store.h"
#include "broker/reason.h"
#include "sidecar/broker/timed_role.h"

namespace sidecar::broker_role {

/// Roles for a time: in the sealed store, so that an older one put back is noticed, and over
/// restarts for what was left at most. Each is in the ledger before it holds, and its end once
/// more. Thread-safe. Borrows its ports.
class TimedRoles {
 public:
  // Support for a working day and its handover; who is needed longer belongs into the
  // configuration, which is reviewed.
  static constexpr std::chrono::seconds kLongest = std::chrono::hours(24);
  // Shorter ones end before anybody has typed what they are for.
  static constexpr std::chrono::seconds kShortest = std::chrono::minutes(1);
  // All are read at a glance, and looked through at each request of an operator.
  static constexpr size_t kMost = 32;
  // A clock put back while purser is down gives back what passed since the last note.
  static constexpr std::chrono::seconds kNoteInterval = std::chrono::minutes(1);
  // How late the ledger may have an end; the role itself is over on time.
  static constexpr std::chrono::seconds kTickInterval{1};
  static constexpr const char* kLeft = "timed-roles-left";  // the note's name

  using Config = broker::policy::Config;
  using Facts = broker::policy::Facts;
  using Person = broker::policy::Person;
  using Entry = broker::ledger::Entry;

  struct Ports {
    broker::SealedStore& store;
    broker::LedgerSink& ledger;
    const broker::Clock& clock;
    /// How long each has left, as a note of the store. kNotFound before the first.
    std::function<broker::Result<std::string>(const char* name)> noted;
    std::function<broker::Status(const char* name, const std::string& text)> note;
  };
  explicit TimedRoles(Ports ports) : ports_(std::move(ports)) {}

  /// Once the store is open, before anything is served; later calls do nothing. With `restored`,
  /// from a backup, all of them are over. Errors: the store's.
  broker::Status Load(bool restored);

  /// What `given` asks for, from now on. `entry` says who gives; it becomes role.granted, durable
  /// before the role holds. Returns its place in the ledger. Refuses kValueOutOfRange (how long; a
  /// user who can be nobody, or holds each role), kRoleMissing (an agent's user), kOwnRequest (who
  /// gives), kPersonRequired (a person, by who is not signed in), kNotFound (nobody can sign in
  /// here), kConflict (holds it already), kOverloaded (over kMost), kSealed, kLedgerUnavailable,
  /// kStoreUnavailable.
  std::expected<uint64_t, broker::Refusal> Give(const Config& config, TimedRole given, Entry entry);

  struct Ended {
    std::optional<uint64_t> seq;  // nothing: the ledger has it later
    bool kept = true;             // else a restart right now would revive it
  };
  /// At once, whatever ledger and store say. Refuses kNotFound.
  std::expected<Ended, broker::Refusal> End(const Config& config, const RoleHolder& holder,
                                            AdminRole role, Entry entry);

  /// What the peer holds for a time: by its user, or by who is signed in. Nothing for who could be
  /// an agent, by whose user it then ends, and for who may be the one who gave it.
  GivenRoles Of(const Config& config, const Facts& facts, const Person* person);
  /// Those that hold now, the oldest first.
  std::vector<TimedRole> List(const Config& config);

  /// Ends what is over or void with this configuration; from then on it is, whatever is configured
  /// later. Waits for nobody.
  void Review(const Config& config);
  /// The same, and writes down what ended and what is left.
  void Tick(const Config& config);
  /// How long each has left. Errors: the store's.
  broker::Status Note();
  /// Calls Tick() every kTickInterval until stopped.
  void Run(const std::stop_token& stop,
           const std::function<std::shared_ptr<const Config>()>& config);

 private:
  std::optional<broker::Refusal> Unfit(const Config& config, const TimedRole& given);
  broker::Status NoteInTurn();
  void ReviewLocked(const Config& config);
  void EndLocked(TimedRole* role, const std::string& why);
  void WriteEnds();
  broker::Status Store();
  broker::Result<uint64_t> Put(const std::vector<TimedRole>& roles);

  const Ports ports_;
  std::mutex turn_;  // one change at a time, over its entry and the store; before mutex_
  broker::Clock::Steady noted_{};
  std::mutex mutex_;  // guards what follows
  bool loaded_ = false;
  bool unstored_ = false;  // the store has what is no more
  std::vector<TimedRole> roles_;
};

}  // namespace sidecar::broker_role
