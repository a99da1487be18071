#include "sidecar/broker/seats.h"

namespace sidecar::broker_role {

std::optional<Seats::Seat> Seats::Take(const std::string& agent) {
  Seat seat(agent);
  const std::scoped_lock lock(mutex_);
  const auto own = taken_.find(agent);
  const size_t before = own == taken_.end() ? 0 : own->second;
  const size_t room = before < kFew ? kMaxOfAgents : kMaxOfAgents - kReservedForFew;
  const bool fits =
      agent.empty() ? before < kMaxOfAdmins : before < kMaxPerAgent && of_agents_ < room;
  if (!fits) return std::nullopt;
  taken_[agent] = before + 1;
  if (!agent.empty()) ++of_agents_;
  seat.seats_ = this;
  return seat;
}

void Seats::Return(const std::string& whose) {
  const std::scoped_lock lock(mutex_);
  const auto own = taken_.find(whose);
  if (--own->second == 0) taken_.erase(own);
  if (!whose.empty()) --of_agents_;
}

Seats::Seat::~Seat() {
  if (seats_ != nullptr) seats_->Return(whose_);
}

}  // namespace sidecar::broker_role
