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

  /// A person, as far as anything says who it is.
  struct Who {
    uint32_t person;       // who is behind sudo, where the kernel knows; else the user
    uint32_t user = 0;     // whose the process is, 0 where that tells nothing (root's)
    std::string oid = {};  // who is signed in, proven by Entra; may be empty
    /// A process that no login started may choose whose login it has: the same user is the same
    /// person, and so is the same object id behind two users.
    [[nodiscard]] bool MayBe(const Who& other) const;
  };
  enum class Step {
    kProposed,    // noted: another person is needed
    kSamePerson,  // who proposed it cannot confirm it
    kConfirmed,   // and forgotten: the next one begins anew
  };
  struct Outcome {
    Step step;
    Who proposed_by;  // the first person
  };
  /// `person` asks for `what`. `version` is of what it is about: when that changed since, what was
  /// proposed is void.
  Outcome Ask(const std::string& what, uint64_t version, const Who& person);

 private:
  struct Proposal {
    uint64_t version;
    Who person;
    Clock::Steady until;
  };
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Proposal>
      proposals_;  // at most one for each agent or credential, and one for all
};

}  // namespace broker
