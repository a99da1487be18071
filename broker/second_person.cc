#include "broker/second_person.h"

namespace broker {

bool SecondPerson::Who::MayBe(const Who& other) const {
  const bool same_user = user != 0 && (user == other.user || user == other.person);
  const bool same_oid = !oid.empty() && oid == other.oid;
  return same_user || same_oid || person == other.person || person == other.user;
}

SecondPerson::Outcome SecondPerson::Ask(const std::string& what, uint64_t version,
                                        const Who& person) {
  const std::scoped_lock lock(mutex_);
  const auto now = clock_.Now();
  const auto found = proposals_.find(what);
  const bool stands =
      found != proposals_.end() && found->second.version == version && now < found->second.until;
  if (!stands) {
    proposals_.insert_or_assign(what, Proposal{version, person, now + kPatience});
    return {Step::kProposed, person};
  }
  if (found->second.person.MayBe(person)) return {Step::kSamePerson, person};
  const Who first = found->second.person;
  proposals_.erase(found);
  return {Step::kConfirmed, first};
}

}  // namespace broker
