// sidecar/supervisor/admin_share.h: how much of the operator's socket some users have.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>

#include "broker/ports/clock.h"
#include "sidecar/supervisor/token_bucket.h"

namespace sidecar::supervisor {

/// Each admin connection forks a process: of those users are some there at a time, and some a
/// second, with twice as many at once. No user takes all that they share, be it to keep a stop from
/// being heard. Pure: the moment is an argument. Not thread-safe.
class AdminShare {
 public:
  struct Limits {
    size_t open, open_of_user;
    double per_second, of_user_per_second;
  };
  explicit AdminShare(const Limits& limits)
      : limits_(limits), all_(limits.per_second, 2 * limits.per_second) {}

  /// Whether the user may have one more. `open` and `open_of_user` are there already.
  bool Take(uint32_t uid, size_t open, size_t open_of_user, broker::Clock::Steady now) {
    if (open >= limits_.open || open_of_user >= limits_.open_of_user) return false;
    std::erase_if(users_, [&](const auto& one) { return now - one.second.taken >= kRefill; });
    const double rate = limits_.of_user_per_second;
    const auto known = users_.find(uid);
    User user = known == users_.end() ? User{TokenBucket(rate, 2 * rate), {}} : known->second;
    if (!user.bucket.Take(now) || !all_.Take(now)) return false;
    user.taken = now;
    users_.insert_or_assign(uid, user);
    return true;
  }

 private:
  // So long after the last one a user's bucket is full, as that of one who is not known: as many
  // are known as `all_` let in meanwhile.
  static constexpr std::chrono::seconds kRefill{2};
  struct User {
    TokenBucket bucket;
    broker::Clock::Steady taken{};
  };
  Limits limits_;
  TokenBucket all_;
  std::map<uint32_t, User> users_;
};

}  // namespace sidecar::supervisor
