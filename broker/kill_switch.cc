#include "broker/kill_switch.h"

#include <utility>

namespace broker {

void KillSwitch::Adopt(Stops stops) {
  const std::scoped_lock lock(mutex_);
  stops_.all = stops_.all || stops.all;
  stops_.agents.merge(std::move(stops.agents));
  any_ = stops_.all || !stops_.agents.empty();
}

void KillSwitch::Engage(std::string_view agent) {
  const std::scoped_lock lock(mutex_);
  if (agent.empty()) {
    stops_.all = true;
  } else {
    stops_.agents.emplace(agent);
  }
  ++engagements_;
  any_ = true;
}

uint64_t KillSwitch::engagements() const {
  const std::scoped_lock lock(mutex_);
  return engagements_;
}

void KillSwitch::Release(std::string_view agent, uint64_t seen) {
  const std::scoped_lock lock(mutex_);
  if (engagements_ != seen) return;
  if (agent.empty()) {
    stops_.all = false;
  } else if (const auto found = stops_.agents.find(agent); found != stops_.agents.end()) {
    stops_.agents.erase(found);
  }
  any_ = stops_.all || !stops_.agents.empty();
}

bool KillSwitch::IsStopped(std::string_view agent) const {
  if (held_) return true;
  if (!any_) return false;
  const std::scoped_lock lock(mutex_);
  return stops_.all || stops_.agents.contains(agent);
}

Stops KillSwitch::stops() const {
  const std::scoped_lock lock(mutex_);
  return stops_;
}

}  // namespace broker
