#include "broker/mint_turns.h"

namespace broker {

std::optional<MintTurns::Place> MintTurns::Take(const std::string& credential,
                                                const std::string& agent) {
  Place place;
  std::mutex* turn = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    turn = &turns_[credential];
    if (!agent.empty()) {
      place.whose_ = {credential, agent};
      int& in_line = in_line_[place.whose_];
      if (in_line == kMaxInLine) return std::nullopt;
      ++in_line;
      place.turns_ = this;
    }
  }
  place.turn_ = std::unique_lock(*turn);
  return place;
}

MintTurns::Place::~Place() {
  if (turn_.owns_lock()) turn_.unlock();
  if (turns_ == nullptr) return;
  const std::scoped_lock lock(turns_->mutex_);
  const auto own = turns_->in_line_.find(whose_);
  if (--own->second == 0) turns_->in_line_.erase(own);
}

}  // namespace broker
