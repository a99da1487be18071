#include "sidecar/broker/readiness.h"

#include <utility>

namespace sidecar::broker_role {

bool SharedReadiness::Ask(Done done) {
  const std::scoped_lock lock(mutex_);
  if (!under_way_ && !start_([this] { LookOnce(); })) return false;
  under_way_ = true;
  asking_.push_back(std::move(done));
  return true;
}

// Those who ask from here on may have asked because of what this look did not see.
std::vector<SharedReadiness::Done> SharedReadiness::TakeAsking() {
  const std::scoped_lock lock(mutex_);
  under_way_ = false;
  return std::exchange(asking_, {});
}

void SharedReadiness::LookOnce() {
  Readiness now;
  try {
    now = look_();
  } catch (...) {
    [[maybe_unused]] const auto dropped = TakeAsking();
    throw;
  }
  for (Done& done : TakeAsking()) done(now);
}

}  // namespace sidecar::broker_role
