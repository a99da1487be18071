#include "broker/second_person.h"

namespace broker {

SecondPerson::Outcome SecondPerson::Ask(const std::string& what, uint64_t version,
                                        uint32_t person) {
  const std::scoped_lock lock(mutex_);
  const auto now = clock_.Now();
  const auto found = proposals_.find(what);
  const bool stands =
      found != proposals_.end() && found->second.version == version && now < found->second.until;
  if (!stands) {
    proposals_.insert_or_assign(what, Proposal{version, person, now + kPatience});
    return {Step::kProposed, person};
  }
  if (found->second.person == person) return {Step::kSamePerson, person};
  const uint32_t first = found->second.person;
  proposals_.erase(found);
  return {Step::kConfirmed, first};
}

}  // namespace broker
