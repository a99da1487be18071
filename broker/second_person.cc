#include "broker/second_person.h"

namespace broker {

SecondPerson::Outcome SecondPerson::Ask(const std::string& what, uint64_t version, uint32_t person,
                                        uint32_t user) {
  const std::scoped_lock lock(mutex_);
  const auto now = clock_.Now();
  const auto found = proposals_.find(what);
  const bool stands =
      found != proposals_.end() && found->second.version == version && now < found->second.until;
  if (!stands) {
    proposals_.insert_or_assign(what, Proposal{version, person, user, now + kPatience});
    return {Step::kProposed, person};
  }
  const Proposal first = found->second;
  const bool same_user = user != 0 && (user == first.user || user == first.person);
  if (same_user || first.person == person || first.user == person) {
    return {Step::kSamePerson, person};
  }
  proposals_.erase(found);
  return {Step::kConfirmed, first.person};
}

}  // namespace broker
