// broker/second_person.h: what one person asks for and another one confirms.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "broker/ports/clock.h"

namespace broker {

/// Proposals that wait for somebody else. Memory only: after a restart the first person begins
/// anew. Thread-safe. Borrows `clock`.
class SecondPerson {
 public:
  // Long enough to call a colleague at night, short enough that what was meant then is meant still.
  static constexpr std::chrono::minutes kPatience{15};

  explicit SecondPerson(const Clock& clock) : clock_(clock) {}

  enum class Step {
    kProposed,    // noted: another person is needed
    kSamePerson,  // who proposed it cannot confirm it
    kConfirmed,   // and forgotten: the next one begins anew
  };
  struct Outcome {
    Step step;
    uint32_t proposed_by;  // the first person
  };
  /// `person` asks for `what`. `version` is of what it is about: when that changed since, what was
  /// proposed is void. `user`: whose the process is, 0 where that tells nothing (root's). A process
  /// that no login started may choose whose login it has: the same user is the same person.
  Outcome Ask(const std::string& what, uint64_t version, uint32_t person, uint32_t user = 0);

 private:
  struct Proposal {
    uint64_t version;
    uint32_t person, user;
    Clock::Steady until;
  };
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Proposal>
      proposals_;  // at most one for each agent or credential, and one for all
};

}  // namespace broker
